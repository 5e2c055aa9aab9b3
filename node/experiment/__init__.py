"""Experiments: many rounds under varied rules, data and behaviours, with real nodes or simulated in one process."""

"""TRAIN: each miner's commitments to its weights and labels, and the name of its test records."""

from pallets.model_propose.pallet import ModelPropose

__all__ = ["ModelPropose"]

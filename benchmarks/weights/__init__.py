"""Measures every call and hook and writes the pallets' weights: `make weights` (docs/benchmarks.md, "Weights")."""

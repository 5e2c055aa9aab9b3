"""PREDICT and REVEAL: what every miner's model says about everybody's test records."""

from pallets.prediction.pallet import Prediction

__all__ = ["Prediction"]

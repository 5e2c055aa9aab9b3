"""AUDIT and AGGREGATE: verdicts on the winners, attestations of the new global model, rewards."""

from pallets.aggregation.pallet import Aggregation

__all__ = ["Aggregation"]

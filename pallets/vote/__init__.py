"""VOTE: labels, ballots, and the tally that makes provisional winners."""

from pallets.vote.pallet import Vote

__all__ = ["Vote"]

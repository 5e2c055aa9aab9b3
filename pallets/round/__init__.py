"""The rounds: phases, deadlines, seeds, and the summary that stays of each."""

from pallets.round.pallet import Round

__all__ = ["Round"]

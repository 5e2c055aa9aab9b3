"""Who agrees on blocks: the validator set of the epoch, its quorum, and the leaders."""

from pallets.validators.pallet import Validators

__all__ = ["Validators"]

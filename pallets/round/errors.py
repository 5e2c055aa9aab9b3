"""Why a call of a round is refused, whichever pallet's it is."""

from runtime.frame import DispatchError


class WrongRound(DispatchError):
    """The call names another round than the current one."""


class WrongPhase(DispatchError):
    """The round is in another phase than the one this call belongs to."""


class NotMiner(DispatchError):
    """The signer is no miner of this round: it was no validator when the round opened."""


class AlreadyReady(DispatchError):
    """The round waits for this miner already: it delivered in the last round or said that it is ready."""

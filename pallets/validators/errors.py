"""Why a call of the validators pallet is refused."""

from runtime.frame import DispatchError


class AlreadyBonded(DispatchError):
    """The account has a bond: it is in the set, waits for a place, or was put out and must rejoin."""


class NotBonded(DispatchError):
    """The account has no bond: it is no validator and does not wait to be one."""


class NotOut(DispatchError):
    """Only who was put out of the set asks back into it."""


class AlreadyLeaving(DispatchError):
    """The account is on its way out already."""


class MalformedBond(DispatchError):
    """A bond is a u128 of 16 bytes, or left out."""


class BondTooLow(DispatchError):
    """The bond is below the least one of this chain."""


class TooManyBonded(DispatchError):
    """So many accounts have bonds that no other one is taken in."""


class FalseEvidence(DispatchError):
    """What was shown proves no offence, or not any more: its epoch is too long ago."""


class AlreadyReported(DispatchError):
    """This validator's offence in that epoch was reported before."""


ERRORS = (
    AlreadyBonded,
    NotBonded,
    NotOut,
    AlreadyLeaving,
    MalformedBond,
    BondTooLow,
    TooManyBonded,
    FalseEvidence,
    AlreadyReported,
)

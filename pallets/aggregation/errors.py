"""Why a call of the aggregation pallet is refused."""

from runtime.frame import DispatchError


class AlreadyAudited(DispatchError):
    """The miner has given its verdicts in this round."""


class AlreadyAttested(DispatchError):
    """The miner has attested a global model in this round."""


class WrongWinners(DispatchError):
    """Verdicts or measures are not about each of the round's winners once, in their order."""


class InvalidVerdict(DispatchError):
    """A verdict is none of OK, MISMATCH and UNAVAILABLE."""


class TooEarly(DispatchError):
    """UNAVAILABLE is accepted only in the last third of AUDIT: until then the weights may still come."""


class InvalidTag(DispatchError):
    """An OK and an attestation carry a tag of 32 bytes, the other verdicts none."""


class SameTag(DispatchError):
    """Two tags of one audit are equal although the weights differ, or differ although the weights are the same."""


class WrongLength(DispatchError):
    """The name of a global model has exactly 32 bytes."""


class WrongSize(DispatchError):
    """The global model is empty, or larger than the chain allows."""


class InvalidServerState(DispatchError):
    """A server state is attested just when the chain's rule keeps one: a name of 32 bytes and a possible size."""


class InvalidMeasure(DispatchError):
    """A weight difference is above what two models within bounds can have, or a contribution above the whole."""


class InvalidBaselines(DispatchError):
    """Baselines are of owners of the round, sorted, each once, and none is above the number of records."""


class InvalidFalseTags(DispatchError):
    """False tags name miners that gave an OK on one of the winners, sorted, each once."""

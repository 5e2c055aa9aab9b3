"""When a miner's blobs may leave its node: test records after TRAIN, weights after REVEAL, global models always."""

from __future__ import annotations

from pocl.v1.round_pb2 import PHASE_NONE, Phase, RoundState
from pocl.v1.worker_service_pb2 import BlobVisibility

_OPENS: dict[int, int] = {
    BlobVisibility.AFTER_TRAIN: Phase.TRAIN,
    BlobVisibility.AFTER_REVEAL: Phase.REVEAL,
}


def may_leave(round: int, visibility: int, current: RoundState) -> bool:
    """Tell whether a blob stored for `round` may be served now; `current` is the round as the last final block
    has it.
    """
    if visibility == BlobVisibility.PUBLIC:
        return True
    after = _OPENS.get(visibility)
    if after is None or round > current.round:
        return False
    over = round < current.round or current.phase == PHASE_NONE
    return over or current.phase > after

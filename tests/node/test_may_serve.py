"""When a blob may leave the node: never while somebody could gain by having it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from node.blobs import BlobMeta
from node.service import Node
from pocl.v1.round_pb2 import AGGREGATE, AUDIT, PHASE_NONE, PREDICT, REVEAL, TRAIN, VOTE, Phase, RoundState
from pocl.v1.worker_service_pb2 import BlobVisibility

PHASES = [TRAIN, PREDICT, REVEAL, VOTE, AUDIT, AGGREGATE, PHASE_NONE]
"""In the order of a round; NONE is after its end."""

NOW = 5


def served(visibility: int, round: int) -> list[Phase]:
    """Return the phases of round NOW in which a blob of some round is served."""
    meta = BlobMeta(bytes(32), 0, round, visibility, ())
    found = []
    for phase in PHASES:
        node = SimpleNamespace(round=RoundState(round=NOW, phase=phase))
        if Node._may_serve(node, meta):  # type: ignore[arg-type]
            found.append(phase)
    return found


@pytest.mark.parametrize(
    ("visibility", "phases"),
    [
        # Whoever had the records in TRAIN would train on them.
        (BlobVisibility.AFTER_TRAIN, PHASES[1:]),
        # Whoever had the weights before all predictions are shown would predict with them.
        (BlobVisibility.AFTER_REVEAL, PHASES[3:]),
    ],
)
def test_a_blob_is_served_after_its_phase(visibility: int, phases: list[Phase]) -> None:
    assert served(visibility, NOW) == phases
    assert served(visibility, NOW - 1) == PHASES
    # This node lags: the others' round has begun, ours has not.
    assert served(visibility, NOW + 1) == []


def test_public_blobs_always_go_and_others_never() -> None:
    assert served(BlobVisibility.PUBLIC, NOW + 1) == PHASES
    private = [v for v in BlobVisibility.values() if served(v, NOW - 1) == []]
    assert BlobVisibility.AFTER_REVEAL not in private
    assert served(99, NOW - 1) == []

"""What two signatures prove, and what they do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pocl.extrinsics import sign_call
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, CatchUpRequest, ConsensusMessage
from pocl.v1.extrinsic_pb2 import Call
from runtime.codec import encode
from runtime.offences import (
    EvidenceError,
    OffenceKind,
    essence,
    prove_equivocation,
    prove_twin,
)
from tests.evidence import proposal, vote
from tests.pallets.harness import VALIDATORS

GENESIS = b"g" * 32
SORTED = sorted(VALIDATORS, key=lambda key: key.public)
CULPRIT, OTHER = SORTED[2], SORTED[1]
ACCOUNTS = [key.public for key in SORTED]
A, B = b"a" * 32, b"b" * 32


def set_of(epoch: int) -> Sequence[bytes]:
    return ACCOUNTS if epoch == 5 else []


def prove(first: ConsensusMessage, second: ConsensusMessage) -> OffenceKind:
    offence = prove_equivocation(CULPRIT.public, encode(first), encode(second), set_of, GENESIS)
    assert (offence.account, offence.epoch) == (CULPRIT.public, 5)
    return offence.kind


def own(kind: int, block: bytes = A, view: int = 3, epoch: int = 5) -> ConsensusMessage:
    return vote(CULPRIT, 2, GENESIS, epoch, view, kind, block)  # type: ignore[arg-type]


def test_each_equivocation_is_proven() -> None:
    assert prove(own(NOTARIZE), own(NOTARIZE, B)) is OffenceKind.TWO_NOTARIZE
    assert prove(own(FINALIZE), own(FINALIZE, B)) is OffenceKind.TWO_FINALIZE
    assert prove(own(NULLIFY), own(FINALIZE)) is OffenceKind.NULLIFY_AND_FINALIZE
    assert prove(own(FINALIZE), own(NULLIFY)) is OffenceKind.NULLIFY_AND_FINALIZE
    one = proposal(CULPRIT, GENESIS, 5, 3)
    for other in (
        proposal(CULPRIT, GENESIS, 5, 3, number=8),
        proposal(CULPRIT, GENESIS, 5, 3, parent_view=1),
    ):
        assert prove(one, other) is OffenceKind.TWO_PROPOSALS
        bare = [ConsensusMessage.FromString(essence(message)) for message in (one, other)]
        assert not bare[0].proposal.block.extrinsics
        assert prove(*bare) is OffenceKind.TWO_PROPOSALS


@pytest.mark.parametrize(
    ("first", "second", "match"),
    [
        # What honest validators sign.
        (own(NOTARIZE), own(NULLIFY), "contradict"),
        (own(NOTARIZE), own(FINALIZE), "contradict"),
        (own(NOTARIZE), own(NOTARIZE, B, view=4), "different views"),
        (own(NULLIFY), own(FINALIZE, view=4), "different views"),
        # Views begin anew in each epoch.
        (own(NOTARIZE), own(NOTARIZE, B, epoch=6), "different views"),
        (proposal(CULPRIT, GENESIS, 5, 3), proposal(CULPRIT, GENESIS, 6, 3, number=8), "different views"),
        (own(NOTARIZE), own(NOTARIZE), "contradict"),
        (own(NULLIFY), own(NULLIFY), "contradict"),
        (proposal(CULPRIT, GENESIS, 5, 3), proposal(CULPRIT, GENESIS, 5, 3), "contradict"),
        (proposal(CULPRIT, GENESIS, 5, 3), proposal(CULPRIT, GENESIS, 5, 4), "different views"),
        # What somebody else signed, or nobody.
        (own(NOTARIZE), vote(OTHER, 2, GENESIS, 5, 3, NOTARIZE, B), "signature"),
        (own(NOTARIZE), vote(OTHER, 1, GENESIS, 5, 3, NOTARIZE, B), "validator 1"),
        (own(NOTARIZE), vote(CULPRIT, 2, b"h" * 32, 5, 3, NOTARIZE, B), "signature"),
        (proposal(CULPRIT, GENESIS, 5, 3), proposal(OTHER, GENESIS, 5, 3, number=8), "signature"),
        # What is none.
        (own(NOTARIZE, epoch=4), own(NOTARIZE, B, epoch=4), "epoch 4 is not known"),
        (own(NOTARIZE), proposal(CULPRIT, GENESIS, 5, 3), "two votes or two proposals"),
        (ConsensusMessage(), ConsensusMessage(), "two votes or two proposals"),
        (
            ConsensusMessage(catch_up=CatchUpRequest(epoch=5, view=1)),
            ConsensusMessage(catch_up=CatchUpRequest(epoch=5, view=2)),
            "two votes or two proposals",
        ),
    ],
)
def test_what_proves_nothing(first: ConsensusMessage, second: ConsensusMessage, match: str) -> None:
    with pytest.raises(EvidenceError, match=match):
        prove(first, second)


def test_evidence_is_canonical_and_against_a_member() -> None:
    first, second = encode(own(NOTARIZE)), encode(own(NOTARIZE, B))
    with pytest.raises(EvidenceError, match="not the canonical"):
        prove_equivocation(CULPRIT.public, first + b"\x98\x06\x01", second, set_of, GENESIS)
    with pytest.raises(EvidenceError, match="not a"):
        prove_equivocation(CULPRIT.public, b"\xff", second, set_of, GENESIS)
    with pytest.raises(EvidenceError, match="no validator of epoch 5"):
        prove_equivocation(b"x" * 32, first, second, set_of, GENESIS)


def call(args: bytes, round: int = 5, pallet: str = "vote", function: str = "cast", **how: object) -> bytes:
    versions = {"spec_version": 1, "transaction_version": 1, "genesis_hash": GENESIS} | how
    who = versions.pop("who", CULPRIT)
    where = {"nonce": 1} if versions.pop("normal", False) else {"round": round}
    return sign_call(who, Call(pallet=pallet, function=function, args=args), **versions, **where)  # type: ignore[arg-type]


def twin(first: bytes, second: bytes) -> OffenceKind:
    return prove_twin(first, second, set_of, GENESIS, 1, 1).kind


def test_twins_in_learning_are_proven() -> None:
    assert twin(call(b"\x0a\x01a"), call(b"\x0a\x01b")) is OffenceKind.TWO_BALLOTS
    model = {"pallet": "model_propose", "function": "propose"}
    assert twin(call(b"\x0a\x01a", **model), call(b"\x0a\x01b", **model)) is OffenceKind.TWO_MODELS


@pytest.mark.parametrize(
    ("second", "match"),
    [
        (call(b"a"), "say the same"),
        (call(b"a", valid_until=9), "say the same"),
        (call(b"b", round=6), "different rounds"),
        (call(b"b", who=OTHER), "different signers"),
        (call(b"b", function="other"), "two calls of"),
        (call(b"b", normal=True), "names its round"),
        (call(b"b", genesis_hash=b"h" * 32), "signature"),
        (call(b"b", transaction_version=2), "signature"),
        (b"\xff", "not a"),
    ],
)
def test_what_makes_no_twins(second: bytes, match: str) -> None:
    with pytest.raises(EvidenceError, match=match):
        twin(call(b"a"), second)


def test_twins_are_of_a_known_round() -> None:
    with pytest.raises(EvidenceError, match="epoch 4 is not known"):
        twin(call(b"a", round=4), call(b"b", round=4))
    audits = [call(part, pallet="aggregation", function="audit") for part in (b"a", b"b")]
    with pytest.raises(EvidenceError, match="two calls of"):
        twin(*audits)

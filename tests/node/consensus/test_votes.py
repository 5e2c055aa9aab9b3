"""When votes are checked, and who is charged for bad ones."""

from __future__ import annotations

from node.consensus import types as t
from node.consensus.scheme import SignatureScheme
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY
from tests.node.consensus.bench import Bench, of
from tests.simulation.consensus.toy_chain import account
from tests.simulation.scheme import KeyedHashScheme

BLOCK = b"b" * 32
OTHER = b"o" * 32


class Counting(KeyedHashScheme):
    """Counts the checks."""

    checks = 0

    def verify(self, account: bytes, message: bytes, signature: bytes) -> bool:
        """Count and check."""
        self.checks += 1
        return super().verify(account, message, signature)


def counted() -> tuple[Bench, Counting]:
    """Return a bench whose core counts its checks."""
    scheme = Counting(account(0))
    schemes: list[SignatureScheme] = [scheme, *(KeyedHashScheme(account(index)) for index in (1, 2, 3))]
    return Bench(schemes=schemes), scheme


def test_direct_votes_are_checked_together_at_quorum() -> None:
    bench, scheme = counted()
    bench.receive(bench.vote(1, 1, NOTARIZE, BLOCK), 1)
    bench.receive(bench.vote(2, 1, NOTARIZE, BLOCK), 2)
    assert scheme.checks == 0
    bench.receive(bench.vote(3, 1, NOTARIZE, BLOCK), 3)
    assert scheme.checks == 3
    assert bench.core.view == 2


def test_relayed_votes_are_checked_at_once_and_cannot_take_a_place() -> None:
    bench, scheme = counted()
    forged = bench.vote(1, 1, NOTARIZE, OTHER)
    forged.signature = bytes(64)
    assert [blame.peer for blame in of(t.Blame, bench.receive(forged, 2))] == [2]
    assert scheme.checks == 1
    bench.receive(bench.vote(1, 1, NOTARIZE, BLOCK), 3, relayed=True)
    bench.receive(bench.vote(2, 1, NOTARIZE, BLOCK), 2)
    bench.receive(bench.vote(3, 1, NOTARIZE, BLOCK), 3)
    assert bench.core.view == 2


def test_a_bad_signature_at_quorum_is_charged_and_blocks_nothing() -> None:
    bench, _ = counted()
    bad = bench.vote(1, 1, NULLIFY)
    bad.signature = bytes(64)
    bench.receive(bad, 1)
    bench.receive(bench.vote(2, 1, NULLIFY), 2)
    assert [blame.peer for blame in of(t.Blame, bench.receive(bench.vote(3, 1, NULLIFY), 3))] == [1]
    assert bench.core.view == 1
    bench.receive(bench.vote(1, 1, NULLIFY), 1)
    assert bench.core.view == 2


def test_contradicting_votes_are_evidence_and_the_first_counts() -> None:
    bench, _ = counted()
    first, second = bench.vote(1, 1, NOTARIZE, BLOCK), bench.vote(1, 1, NOTARIZE, OTHER)
    bench.receive(first, 1)
    offences = of(t.Offence, bench.receive(second, 1))
    assert [(offence.kind, offence.account) for offence in offences] == [
        (t.OffenceKind.TWO_NOTARIZE, account(1))
    ]
    assert (offences[0].first.vote, offences[0].second.vote) == (first, second)
    assert bench.receive(second, 1) == []
    assert bench.core._state.votes.get(1, NOTARIZE, 1) == first
    bench.receive(bench.vote(2, 1, NULLIFY), 2)
    assert of(t.Offence, bench.receive(bench.vote(2, 1, FINALIZE, BLOCK), 2))
    assert not of(t.Offence, bench.receive(bench.vote(1, 1, NULLIFY), 1))


def test_an_offence_needs_two_good_signatures() -> None:
    bench, _ = counted()
    bad = bench.vote(1, 1, NOTARIZE, BLOCK)
    bad.signature = bytes(64)
    bench.receive(bad, 1)
    actions = bench.receive(bench.vote(1, 1, NOTARIZE, OTHER), 1)
    assert [type(action) for action in actions] == [t.Blame]
    assert bench.core._state.votes.get(1, NOTARIZE, 1) == bench.vote(1, 1, NOTARIZE, OTHER)


def test_what_was_not_checked_is_not_passed_on() -> None:
    bench, _ = counted()
    bad = bench.vote(1, 1, NULLIFY)
    bad.signature = bytes(64)
    bench.receive(bad, 1)
    bench.receive(bench.vote(2, 1, NULLIFY), 2)
    sent = [action.message for action in of(t.Broadcast, bench.fire(t.TimerKind.STALL))]
    assert [message.vote.validator for message in sent if message.HasField("vote")] == [2]

"""The simulation notices when a rule is broken: each fault must fail some seed that the code as it is passes."""

from __future__ import annotations

import pytest

from tests.simulation.consensus.broken import quorum_of_2f
from tests.simulation.watch import Violation
from tests.simulation.whole import broken
from tests.simulation.whole.adversaries import EquivocatingProposer, StaleReplayer
from tests.simulation.whole.node import WholeNode
from tests.simulation.whole.simulation import Simulation

SEEDS = range(20, 80)


def first_failure(
    node_class: type[WholeNode] = WholeNode, faulty: tuple[type[WholeNode], ...] = (), seeds: range = SEEDS
) -> str:
    """Return what the first failing seed says; empty if none fails."""
    for seed in seeds:
        try:
            Simulation(seed, node_class, faulty).run()
        except Violation as violation:
            return str(violation)
    return ""


@pytest.mark.parametrize(
    ("node_class", "expected"),
    [
        (broken.NoSyncedLog, ("twice", "nullifies and finalizes", "after nullifying")),
        (broken.NoSyncedDatabase, ("reported block",)),
        (broken.SignsTwice, ("says two things in propose",)),
        (broken.NotesInMemory, ("says two things in propose",)),
    ],
)
def test_a_broken_node_fails(node_class: type[WholeNode], expected: tuple[str, ...]) -> None:
    reason = first_failure(node_class)
    assert any(part in reason for part in expected), reason


def test_any_parent_and_extended_closing_blocks_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.consensus.agreement.header_fault", broken.no_header_check)
    # Few such proposers get so far before they are put out of the set for what they do.
    reason = first_failure(faulty=(EquivocatingProposer,), seeds=range(170, 230))
    assert "a second block" in reason, reason


def test_old_nonces_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.execution.check_due", broken.no_nonce_check)
    reason = first_failure()
    assert "includes again" in reason, reason


def test_rewards_minted_twice_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pallets.coin.Coin.mint_reward", broken.reward_minted_twice)
    reason = first_failure()
    assert "more than its emission" in reason, reason


def test_a_quorum_of_2f_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.consensus.types.quorum", quorum_of_2f)
    monkeypatch.setattr("runtime.certificates.quorum", quorum_of_2f)
    expected = ("final blocks", "second block", "finalize another", "contradicting", "long after healing")
    reason = first_failure()
    assert any(part in reason for part in expected), reason


def test_votes_of_any_epoch_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (
        "node.consensus.agreement", "node.consensus.votes", "runtime.certificates", "tests.simulation.adversaries",
    ):  # fmt: skip
        monkeypatch.setattr(f"{module}.vote_message", broken.vote_of_any_epoch)
    # What it does is either against safety, or keeps honest nodes from ever agreeing again.
    expected = ("accuses an honest", "second block", "halts", "contradicting", "long after healing")
    reason = first_failure(faulty=(StaleReplayer,))
    assert any(part in reason for part in expected), reason


def test_evidence_taken_unchecked_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.offences._kind_of_votes", broken.any_two_votes_contradict)
    reason = first_failure()
    assert "is slashed" in reason, reason

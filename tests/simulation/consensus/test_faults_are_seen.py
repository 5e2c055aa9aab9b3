"""The simulation notices when a rule is broken: every such node must fail some seeds that honest ones pass."""

from __future__ import annotations

import pytest

from tests.simulation.consensus import broken
from tests.simulation.consensus.nodes import HonestNode
from tests.simulation.consensus.test_seeds import failure

SEEDS = range(150)


def failures(honest_class: type[HonestNode], expected: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the first seed that fails in an expected way; any other way is a test of the wrong thing."""
    for seed in SEEDS:
        reason = failure(seed, honest_class)
        if reason is not None:
            assert any(part in reason for part in expected), reason
            return [(seed, reason)]
    return []


@pytest.mark.parametrize(
    ("honest_class", "expected"),
    [
        (broken.SendsBeforeSync, ("twice", "nullifies and finalizes", "after nullifying", "two final")),
        (broken.NullifiesAfterFinalize, ("nullifies and finalizes", "two final")),
        (broken.ForgetsBodies, ("long after healing",)),
    ],
)
def test_a_broken_rule_fails(honest_class: type[HonestNode], expected: tuple[str, ...]) -> None:
    assert failures(honest_class, expected)


def test_a_quorum_of_2f_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.consensus.types.quorum", broken.quorum_of_2f)
    monkeypatch.setattr("runtime.certificates.quorum", broken.quorum_of_2f)
    assert failures(HonestNode, ("two final blocks", "two contradicting certificates"))

"""Agreement and progress for hundreds of seeds."""

from __future__ import annotations

import pytest

from tests.simulation.consensus.nodes import HonestNode
from tests.simulation.consensus.simulation import Simulation
from tests.simulation.watch import Violation

SEEDS = 320
CHUNK = 20


def failure(seed: int, honest_class: type[HonestNode] = HonestNode) -> str | None:
    """Run a seed; return what went wrong."""
    try:
        Simulation(seed, honest_class).run()
    except Violation as violation:
        return str(violation)
    return None


def story(seed: int) -> list[str]:
    """Run a seed once more and return its trace."""
    simulation = Simulation(seed, tracing=True)
    try:
        simulation.run()
    except Violation as violation:
        simulation.trace(f"VIOLATION: {violation}")
    return simulation.lines


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_one_chain_and_it_goes_on(first: int) -> None:
    for seed in range(first, first + CHUNK):
        reason = failure(seed)
        if reason is not None:
            pytest.fail(f"seed {seed}: {reason}\n" + "\n".join(story(seed)[-300:]), pytrace=False)


def test_a_seed_is_always_the_same_run() -> None:
    first = story(7)
    assert len(first) > 100
    assert first == story(7)


def test_seeds_cover_what_they_should() -> None:
    # Without this a change of the generator could leave a case out and every seed would still pass.
    seen = set()
    for seed in range(25):
        simulation = Simulation(seed, tracing=True)
        simulation.run()
        text = "\n".join(simulation.lines)
        seen |= {f"n{len(simulation.nodes)}", *(type(node).__name__ for node in simulation.nodes)}
        seen |= {
            mark for mark in ("crashes", "NULLIFY", "NeedSync", "Offence", "Blame", "[{") if mark in text
        }
        seen |= {"epochs"} if simulation.honest[0].core.epoch.epoch > 2 else set()
    kinds = {"Silent", "Late", "TwoFaced", "HonestNode"}
    events = {"crashes", "NULLIFY", "NeedSync", "Offence", "Blame", "[{", "epochs"}
    assert seen >= kinds | events | {"n4", "n5", "n7", "n8"}

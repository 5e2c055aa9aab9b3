"""Agreement, validity, issuance, nothing lost, and progress of whole nodes, for eighty seeds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.watch import Violation
from tests.simulation.whole.adversaries import KINDS
from tests.simulation.whole.disk import POINTS
from tests.simulation.whole.run import failure, replay_command, story
from tests.simulation.whole.simulation import Amnesiac, Simulation

SEEDS = 80
CHUNK = 10

CHARGES = (
    "blocks that are not final here",
    "no page below the final number it told",
    "no answer to a sync request",
    "a page with block",
)
"""Why peers are charged by those who ask them for blocks."""

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_one_chain_and_it_goes_on(first: int) -> None:
    for seed in range(first, first + CHUNK):
        reason = failure(seed)
        if reason is not None:
            end = "\n".join(story(seed)[-200:])
            pytest.fail(f"seed {seed}: {reason}\n{end}\nreplay: {replay_command(seed)}", pytrace=False)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_every_point_where_something_is_written(point: str) -> None:
    faulty = Amnesiac if "new log" in point else None
    for seed in range(1000, 1060):
        simulation = Simulation(seed, faulty_classes=(faulty,) if faulty else (), tracing=True)
        nodes = (
            [node for node in simulation.nodes if isinstance(node, Amnesiac)] if faulty else simulation.honest
        )
        for node in nodes:
            # After the calm: whoever has no log by then would have to abstain.
            simulation.network.later(600, setattr, node.disk, "at", point)
        try:
            simulation.run()
        except Violation as violation:
            simulation.trace(f"VIOLATION: {violation}")
            pytest.fail(f"seed {seed}: {violation}\n" + "\n".join(simulation.lines[-200:]), pytrace=False)
        if any(line.endswith(f"crashes: {point}") for line in simulation.lines):
            return
    pytest.fail(f"nothing passed the point {point!r}", pytrace=False)


def test_a_seed_is_the_same_run_in_every_process() -> None:
    # Python draws another order for sets of bytes in each process, unless told not to.
    runs = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation.whole.run", "--replay", "3"],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]  # fmt: skip
    assert len(runs[0].splitlines()) > 300
    assert runs[0] == runs[1]


def test_seeds_cover_what_they_should() -> None:
    # Without this a change of the generator could leave a case out and every seed would still pass.
    seen: set[str] = set()
    # Few seeds settle transfers, which are dealt in the second round (166 does), put out who misses one (289), or lead
    # anybody to take in a page of blocks that are not final (196).
    for seed in (*range(SEEDS, SEEDS + 40), 120, 166, 196, 289):
        simulation = Simulation(seed, tracing=True)
        simulation.run()
        text = "\n".join(simulation.lines)
        seen |= {type(node).__name__ for node in simulation.nodes}
        seen |= set(re.findall(r"crashes: (.*)", text))
        seen |= {
            mark
            for mark in ("NULLIFY", "NeedSync", "Offence", "Blame", "[{", "no_finality=True")
            if mark in text
        }
        seen |= {"rounds"} if simulation.epoch > 2 else set()
        seen |= {f"n{len(simulation.world.validators)}"}
        seen |= (
            {"abstains"}
            if any(node.journal is not None and node.journal.abstain_until for node in simulation.honest)
            else set()
        )
        seen |= {"settled"} if simulation.watch.settled else set()
        seen |= simulation.watch.happened
        if simulation.changing:
            seen |= {f"a set of {len(members)}" for members in simulation.watch.sets.values()}
        seen |= {reason for reason in CHARGES if f": {reason}" in text}
    kinds = {kind.__name__ for kind in KINDS} | {"Amnesiac", "Skewed", "WholeNode"}
    marks = {"NULLIFY", "NeedSync", "Offence", "Blame", "[{", "no_finality=True", "n4", "n7"}
    ends = {"rounds", "abstains", "settled", "torn log", "before the database", "after the log"}
    sets = {"Joined", "Left", "Rejoined", "Entered", "Slashed", "Unbonded", "offence", "offline", "left"}
    sizes = {"a set of 4", "a set of 5"}
    assert not (kinds | marks | ends | sets | sizes | set(CHARGES)) - seen

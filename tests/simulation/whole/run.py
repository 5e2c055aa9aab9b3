"""`make simulate SEEDS=20000`: many seeds in parallel processes, and how to see a failing one again.

    python -m tests.simulation.whole.run --seeds 20000 [--first 0] [--jobs 2]
    python -m tests.simulation.whole.run --replay 4711

Stops at the first seed that fails, prints the end of its trace and the command that replays it; with --replay
the whole trace is printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.simulation.watch import Violation
from tests.simulation.whole.simulation import Simulation

_TRACE_LINES = 300
_CHUNK = 4


def failure(seed: int) -> str | None:
    """Run a seed; return what went wrong."""
    try:
        Simulation(seed).run()
    except Violation as violation:
        return str(violation)
    return None


def story(seed: int) -> list[str]:
    """Run a seed with its trace, and return that."""
    simulation = Simulation(seed, tracing=True)
    try:
        simulation.run()
    except Violation as violation:
        simulation.trace(f"VIOLATION: {violation}")
    return simulation.lines


def _measured(seed: int) -> tuple[int, str | None, float]:
    begun = time.process_time()
    reason = failure(seed)
    return seed, reason, time.process_time() - begun


def _results(seeds: range, jobs: int) -> Iterator[tuple[int, str | None, float]]:
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_measured, seeds, _CHUNK)


def simulate(seeds: range, jobs: int) -> int:
    """Run seeds; return the exit status."""
    console = Console()
    spent = 0.0
    failed: tuple[int, str] | None = None
    columns = (
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("seeds"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(seeds))
        for seed, reason, seconds in _results(seeds, jobs):
            spent += seconds
            progress.advance(task)
            if reason is not None:
                failed = seed, reason
                break
    if failed is not None:
        seed, reason = failed
        for line in story(seed)[-_TRACE_LINES:]:
            print(line)
        print(f"\nseed {seed} fails: {reason}")
        print(f"replay it with: {replay_command(seed)}")
        return 1
    print(f"{len(seeds)} seeds without a violation, {spent / max(len(seeds), 1):.3f} CPU seconds a seed")
    return 0


def replay_command(seed: int) -> str:
    """Return the command that shows a seed again."""
    return f"{sys.executable} -m tests.simulation.whole.run --replay {seed}"


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.whole.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first one (default: 0)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="print one seed's whole trace")
    options = parser.parse_args()
    if options.seeds < 0 or options.jobs < 1:
        parser.error("--seeds may not be negative, --jobs must be at least 1")
    if options.replay is not None:
        lines = story(options.replay)
        print("\n".join(lines))
        return int("VIOLATION" in lines[-1])
    return simulate(range(options.first, options.first + options.seeds), options.jobs)


if __name__ == "__main__":
    sys.exit(main())

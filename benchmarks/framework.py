"""What a part of the benchmarks is made of.

A part is a module `benchmarks/bench_NAME.py` with a docstring, `FIGURES`, and `measure(bench)`, which adds samples:

    FIGURES = (Figure("block import", "transfers per CPU second", floor=3000),)

    def measure(bench: Bench) -> None:
        for block in prepare(bench.scaled(1000)):
            with bench.timed() as took:
                chain.import_block(block)
            bench.add("block import", len(block.extrinsics) / took.cpu_s)

What is reported of a figure is the median of its samples, their number and their range. CPU time is that of the
whole process, threads of libraries included: other programs on the machine disturb it far less than the clock.
"""

from __future__ import annotations

import hashlib
import importlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.machine import Others

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
CACHE = ROOT / "build" / "bench"
"""What parts keep from one run to the next, and profiles; git ignores it."""

HIGHER, LOWER = "higher", "lower"

OTHERS = 0.05
"""The share of all cores from which on other programs are said to disturb a part."""


class BenchError(Exception):
    """A part cannot be run as asked."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `floor` is the value it must reach; with `better` LOWER, must not exceed."""

    name: str
    unit: str
    floor: float | None = None
    better: str = HIGHER

    def reached(self, value: float) -> bool | None:
        """Return whether a value is good enough; None when nothing is asked of this figure."""
        if self.floor is None:
            return None
        return value >= self.floor if self.better == HIGHER else value <= self.floor


@dataclass(slots=True)
class Took:
    """How long a timed section took, once it is over."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@dataclass
class Bench:
    """What a running part has at hand.

    `scale` makes the workload smaller for a quick look; figures of a scaled run are not recorded.
    """

    scale: float = 1.0
    profile: bool = False
    cache: Path = CACHE
    samples: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """Lines to print below the table."""
    disturbed: list[str] = field(default_factory=list)
    """Why this part's figures are not those of the program alone."""
    _profiler: Any = None

    def scaled(self, count: int, least: int = 1) -> int:
        """Return how many of `count` things to use at this scale."""
        return max(least, int(count * self.scale))

    def add(self, figure: str, value: float) -> None:
        """Add one sample of a figure."""
        self.samples.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float:
        """Return the median of a figure's samples so far, for a figure made from others."""
        return statistics.median(self.samples[figure])

    def note(self, line: str) -> None:
        """Print a line below the table."""
        self.notes.append(line)

    def disturb(self, reason: str) -> None:
        """Say that something else on the machine had its part in the figures."""
        self.disturbed.append(reason)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder on the disk that the cache is on, and remove it afterwards."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache) as name:
            yield Path(name)

    @contextmanager
    def timed(self) -> Iterator[Took]:
        """Measure what runs inside, and profile it when that was asked for. Preparations stay outside."""
        took = Took()
        if self.profile:
            self._start_profiler()
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield took
        finally:
            took.cpu_s, took.wall_s = time.process_time() - cpu, time.perf_counter() - wall
            if self._profiler is not None:
                self._profiler.stop()

    def write_profile(self, path: Path) -> None:
        """Write the profile of all timed sections as text."""
        if self._profiler is None:
            raise BenchError("this part has no timed section: there is nothing to profile")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._profiler.output_text(show_all=True, flat=True))

    def _start_profiler(self) -> None:
        from pyinstrument import Profiler

        # Samples by a clock in a thread of its own: a timer for CPU time would be read at every call, and make the
        # program ten times slower where it has many. What runs is busy throughout, so the shares are those of CPU.
        if self._profiler is None:
            self._profiler = Profiler(async_mode="disabled", use_timing_thread=True)
        self._profiler.start()


def part_names() -> list[str]:
    """Return the names of all parts."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def load(name: str) -> ModuleType:
    """Return a part's module. Raise BenchError when there is none."""
    if name not in part_names():
        raise BenchError(f"there is no part {name!r}: the parts are {', '.join(part_names())}")
    return importlib.import_module(f"benchmarks.bench_{name}")


def summary(figure: Figure, samples: Sequence[float]) -> dict[str, Any]:
    """Return what is reported of a figure."""
    median = statistics.median(samples)
    return {
        "figure": figure.name,
        "unit": figure.unit,
        "median": _rounded(median),
        "min": _rounded(min(samples)),
        "max": _rounded(max(samples)),
        "runs": len(samples),
        "floor": figure.floor,
        "better": figure.better,
        "reached": figure.reached(median),
    }


def hash_us() -> float:
    """Return the CPU time of a BLAKE2b hash here and now, in µs: how much others slow this machine down.

    This thread's time: LevelDB's, which may still compact what a part has written, is not the hash's.
    """
    costs = []
    for _ in range(20):
        cpu = time.thread_time()
        for _ in range(1000):
            hashlib.blake2b(bytes(64), digest_size=32).digest()
        costs.append((time.thread_time() - cpu) * 1000)
    return _rounded(statistics.median(costs))


@dataclass(frozen=True, slots=True)
class Result:
    """What a part gave."""

    figures: list[dict[str, Any]]
    notes: list[str]
    disturbed: list[str]
    """Why its figures are not those of the program alone; empty when nothing says so."""
    hash_us: float
    """What a hash cost, before the part or after it: the dearer of both."""


def run_part(name: str, scale: float, profile: bool) -> Result:
    """Run a part in this process."""
    module = load(name)
    bench = Bench(scale=scale, profile=profile)
    before, others = hash_us(), Others()
    module.measure(bench)
    share, after = others.share(), hash_us()
    bench.note(
        f"{name}: a BLAKE2b hash took {before:g} µs before and {after:g} µs after it; "
        f"other programs had {100 * share:.0f} % of the cores"
    )
    if share > OTHERS:
        bench.disturb(f"other programs had {100 * share:.0f} % of the cores")
    unknown = bench.samples.keys() - {figure.name for figure in module.FIGURES}
    if unknown:
        raise BenchError(f"part {name} adds samples of {sorted(unknown)}, which FIGURES does not list")
    if profile:
        path = CACHE / f"profile-{name}.txt"
        bench.write_profile(path)
        bench.note(f"profile of {name}: {path.relative_to(ROOT)}")
    figures = [
        summary(figure, bench.samples[figure.name])
        for figure in module.FIGURES
        if bench.samples.get(figure.name)
    ]
    return Result(figures, bench.notes, bench.disturbed, max(before, after))


def _rounded(value: float) -> float:
    """Return a value with four significant digits: what differs between two runs is not the fifth."""
    return float(f"{value:.4g}")

"""One cell with one seed on real nodes and workers: a devnet of this machine, read as any client could."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from node.devnet.observer import Observation
from node.devnet.runner import Devnet, DevnetOptions
from node.devnet.summary import failures
from node.errors import DevnetError
from node.experiment.plan import Cell
from node.experiment.results import Members, cell_result


@dataclass(frozen=True)
class Real:
    """What to run. The nodes' folders lie below `base_path`, which goes when the run succeeded."""

    cell: Cell
    seed: int
    base_path: Path
    worker_threads: int
    data_path: Path | None


class Quiet:
    """A devnet's display that only counts the rounds that have ended."""

    def __init__(self, tick: Callable[[], None], rounds: int) -> None:
        self._tick = tick
        self._rounds = rounds
        self._told = 0

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """The devnet's own steps are not shown."""

    def show(self, seen: Observation) -> None:
        """Count."""
        ended = sum(number <= self._rounds for number in seen.ended)
        for _ in range(ended - self._told):
            self._tick()
        self._told = ended


def run_real(job: Real, progress: Callable[[], None]) -> dict[str, Any]:
    """Return {"result", "timing"} of a cell. Raise DevnetError when the nodes disagree or one ends.

    Void rounds are results like others. The nodes' logs stay where a run failed.
    """
    # What a run that was stopped left behind: chains are begun, never gone on with.
    shutil.rmtree(job.base_path, ignore_errors=True)
    spec, members = job.cell.chain(job.seed), Members.of(job.cell)
    behaviours = {
        members.names[number]: str(group.behaviour)
        for group in job.cell.groups
        for number in group.miners
        if not group.behaviour.honest
    }
    options = DevnetOptions(
        spec=spec,
        validators=job.cell.miners,
        rounds=job.cell.rounds,
        base_path=job.base_path,
        transfers=0,
        worker_threads=job.worker_threads,
        data_path=job.data_path,
        behaviours=behaviours,
    )
    wall = perf_counter()
    with Devnet(options, Quiet(progress, job.cell.rounds)) as devnet:
        devnet.start()
        summary = devnet.follow()
        if not summary["agree"]:
            raise DevnetError(f"{'; '.join(failures(summary))} (logs: {job.base_path}/*/node.log)")
        seen, node = devnet.seen, devnet.remotes[0]
        closed = seen.ended[job.cell.rounds].summary.ended_block
        issued = tuple(node.storage("coin", "TotalIssuance", number=number) for number in (0, closed))
        result = cell_result(
            job.cell, job.seed, members, seen,
            genesis_hash=node.info().genesis_hash, issued=(int(issued[0]), int(issued[1])),
        )  # fmt: skip
        cpu = sum(_cpu_seconds(node.process.pid) for node in devnet.nodes if node.process is not None)
    shutil.rmtree(job.base_path, ignore_errors=True)
    with suppress(OSError):
        job.base_path.parent.rmdir()  # the last run's folder was in it
    finality = summary["finality_ms"]
    return {
        "result": result | {"finality_ms": finality},
        "timing": {"cpu_s": round(cpu, 3), "wall_s": round(perf_counter() - wall, 3)},
    }


def _cpu_seconds(pid: int) -> float:
    """Return what a node and its worker have used so far."""
    total = 0.0
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        total += times.user + times.system
    return total

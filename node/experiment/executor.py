"""Who runs an experiment's jobs: this process, several of this machine, or whatever else has a `map`.

`work` is a function of a module and a job can be pickled, so that an executor may send both anywhere; results
come in the order in which they are done. A cluster is one more class here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue
from typing import Any, Protocol, TypeVar

from node.errors import ExperimentError
from node.lifetime import die_with_parent

J = TypeVar("J")
R = TypeVar("R")

Tick = Callable[[], None]
"""Called whenever a round of a job has ended."""
Work = Callable[[J, Tick], R]


class Executor(Protocol):
    """Runs jobs."""

    def map(self, work: Work[J, R], jobs: Sequence[J], tick: Tick) -> Iterator[tuple[int, R]]:
        """Yield (number of the job, result) of every job as it is done. What a job raises is raised here."""


class SerialExecutor:
    """One job after the other in this process."""

    def map(self, work: Work[J, R], jobs: Sequence[J], tick: Tick) -> Iterator[tuple[int, R]]:
        """Yield each job's number and result, in order."""
        for number, job in enumerate(jobs):
            yield number, work(job, tick)


class ProcessExecutor:
    """Several jobs at a time, each in a process of its own, which ends with this one however it ends."""

    def __init__(self, processes: int) -> None:
        self._processes = processes

    def map(self, work: Work[J, R], jobs: Sequence[J], tick: Tick) -> Iterator[tuple[int, R]]:
        """Yield each job's number and result as it is done. Raise ExperimentError when a process dies."""
        # Not forked: threads of this process, and TensorFlow's, would be half there.
        context = multiprocessing.get_context("spawn")
        ticks: SimpleQueue[bool] = context.SimpleQueue()
        listener = threading.Thread(target=_listen, args=(ticks, tick), daemon=True)
        listener.start()
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            min(self._processes, max(1, len(jobs))),
            mp_context=context,
            initializer=_start,
            initargs=(ticks, os.getpid()),
        )
        try:
            numbers = {pool.submit(_run, work, job): number for number, job in enumerate(jobs)}
            for future in as_completed(numbers):
                yield numbers[future], future.result()
        except BrokenProcessPool:
            raise ExperimentError(
                "a process of the experiment was killed, perhaps for want of memory: "
                "run it again with fewer --jobs to go on with what is missing"
            ) from None
        finally:
            # Also after Ctrl-C or an error, when jobs are still under way: what they did so far is void.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
                child.join()
            ticks.put(False)
            listener.join()


_ticks: SimpleQueue[bool] | None = None
"""In a process of the pool: where it tells of rounds."""


def _start(ticks: SimpleQueue[bool], parent: int) -> None:
    global _ticks
    # Ctrl-C reaches every process of a terminal: the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent(parent)
    _ticks = ticks


def _run(work: Work[Any, Any], job: Any) -> Any:
    def tick() -> None:
        assert _ticks is not None, "started by _start"
        _ticks.put(True)

    return work(job, tick)


def _listen(ticks: SimpleQueue[bool], tick: Tick) -> None:
    while ticks.get():
        tick()

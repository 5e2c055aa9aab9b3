"""A worker that ends is started again, after growing pauses, and the node stays."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from node import chain_spec
from node.config import NodeConfig
from node.errors import NodeStartError
from node.rpc.reports import WorkerReports
from node.worker import STATUS_UNUSABLE
from node.worker_process import STEADY_S, WorkerProcess


class Scripted(WorkerProcess):
    """A worker whose runs are scripted: (seconds it lives, how it ends), an OSError meaning no process."""

    def __init__(self, path: Path, *runs: tuple[float, int | OSError]) -> None:
        super().__init__(NodeConfig(chain_spec.load("dev"), path, "n"), "127.0.0.1:1", WorkerReports())
        self.started: list[float] = []
        self.all_run = trio.Event()
        self._runs: Iterator[tuple[float, int | OSError]] = iter(runs)

    async def _run_once(self) -> int:
        self.started.append(trio.current_time())
        lives, end = next(self._runs, (0, None))
        await trio.sleep(lives)
        if end is None:
            self.all_run.set()
            await trio.sleep_forever()
        if isinstance(end, OSError):
            raise end
        assert end is not None
        return end


async def starts(worker: Scripted) -> list[float]:
    """Run a worker to the end of its script; return the times between its starts."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        await worker.all_run.wait()
        nursery.cancel_scope.cancel()
    return [later - earlier for earlier, later in zip(worker.started, worker.started[1:], strict=False)]


async def test_pauses_grow_and_begin_anew_after_a_long_run(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    no_process = OSError(11, "Resource temporarily unavailable")
    runs: list[tuple[float, int | OSError]] = [
        (0, -9),
        (0, no_process),
        *[(0, 1)] * 6,
        (STEADY_S, -9),
        (0, 2),
    ]
    with caplog.at_level(logging.WARNING, "pocl.worker"):
        pauses = await starts(Scripted(tmp_path, *runs))
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, STEADY_S + 1, 2])
    assert "the worker was killed by signal 9: starting it again in 1 s" in caplog.text
    assert "the worker cannot be started: Resource temporarily unavailable" in caplog.text


async def test_one_that_cannot_use_its_data_at_the_start_ends_the_node(tmp_path: Path) -> None:
    with pytest.raises(NodeStartError, match="the worker cannot start"):
        await Scripted(tmp_path, (0, STATUS_UNUSABLE)).run()

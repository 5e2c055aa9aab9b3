"""The node's training worker: a process of its own, started, watched and restarted by the node.

Training in the node's process would starve consensus (one interpreter lock), and a crash of TensorFlow must
not take the node along. The worker is an ordinary gRPC client of its node; a secret token, new at every start,
lets it use the methods that nobody else may.

A worker that cannot use its data or its options at the node's start will not do better at a second try: the node
stops and says why. Later ends of the worker, whatever the reason, never take the node along.
"""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
from pathlib import Path

import trio

from node.config import NodeConfig
from node.errors import NodeStartError
from node.layout import worker_folder, worker_token_file
from node.rpc.reports import WorkerReports
from node.worker import STATUS_UNUSABLE

log = logging.getLogger("pocl.worker")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pause before a restart: doubled at each end, back to the first after a run of `STEADY_S`."""

STEADY_S = 120.0
NICENESS = 10
"""Consensus goes first where node and worker share a processor."""

_NOT_STARTED = 255

STOP_S = 5.0
"""How long the worker may take to stop after SIGTERM."""


def write_token(base_path: Path) -> str:
    """Make the token of this start and write it where the worker reads it. Raise NodeStartError."""
    token = secrets.token_hex(32)
    file = worker_token_file(base_path)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(token + "\n")
    except OSError as error:
        raise NodeStartError(f"{file}: the worker's token cannot be written: {error.strerror}") from None
    return token


class WorkerProcess:
    """Keeps a worker running until cancelled."""

    def __init__(self, config: NodeConfig, rpc_address: str, reports: WorkerReports) -> None:
        self._config = config
        self._reports = reports
        base = config.base_path
        self._command = [sys.executable, "-m", "node.worker", "--rpc", rpc_address]
        self._command += ["--token-file", str(worker_token_file(base)), "--home", str(worker_folder(base))]
        self._command += ["--behaviour", config.worker_behaviour, "--die-with", str(os.getpid())]
        if config.worker_collusion is not None:
            self._command += ["--collusion", str(config.worker_collusion)]
        if config.data_path is not None:
            self._command += ["--data", str(config.data_path)]
        if config.worker_threads is not None:
            self._command += ["--threads", str(config.worker_threads)]

    async def run(self) -> None:
        """Start the worker, and start it again when it ends. Returns only by being cancelled.

        Raise NodeStartError when the first worker cannot use its options or its data.
        """
        pause, first = FIRST_PAUSE_S, True
        while True:
            self._reports.set_state("starting")
            started = trio.current_time()
            try:
                status = await self._run_once()
            except OSError as error:
                # No process or no memory to be had: the machine may recover.
                log.warning("the worker cannot be started: %s", error.strerror)
                status = _NOT_STARTED
            was_ready = self._reports.state not in ("starting", "failed")
            said_why = self._reports.state == "failed"
            self._reports.set_state("failed")
            if status == STATUS_UNUSABLE and first and not was_ready:
                raise NodeStartError(f"the worker cannot start: {self._last_error()}")
            first = False
            if trio.current_time() - started >= STEADY_S:
                pause = FIRST_PAUSE_S
            if not said_why:
                self._reports.note_error(f"it {_end_of(status)}")
            log.warning("the worker %s: starting it again in %.0f s", _end_of(status), pause)
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _last_error(self) -> str:
        errors = [report.error for report in self._reports.list() if report.error]
        return errors[-1] if errors else "its own line above says why"

    async def _run_once(self) -> int:
        # Not trio.run_process: it forks from a pool thread, and the kernel's "die with your parent" looks at
        # the thread that forked.
        process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            return await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
        finally:
            if process.poll() is None:
                process.terminate()
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(_reap, process)


def _end_of(status: int) -> str:
    if status == _NOT_STARTED:
        return "did not start"
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""One node of a devnet as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.errors import DevnetError

STOP_SECONDS = 15.0
"""How long a node may take to stop after SIGTERM before it is killed."""


@dataclass
class NodeProcess:
    """A node's process, its folder and what its ready file said."""

    name: str
    uri: str
    base_path: Path
    process: subprocess.Popen[bytes] | None = None
    ready: dict[str, Any] = field(default_factory=dict)

    @property
    def log_file(self) -> Path:
        """Where the node's and its worker's log goes."""
        return self.base_path / "node.log"

    @property
    def rpc_address(self) -> str:
        """HOST:PORT of the node's gRPC, known once it is ready."""
        return str(self.ready["rpc_address"])

    @property
    def metrics_address(self) -> str:
        """HOST:PORT of the node's metrics, known once it is ready."""
        return str(self.ready["prometheus_address"])

    @property
    def addresses(self) -> list[str]:
        """The node's libp2p addresses, known once it is ready."""
        return list(self.ready["addresses"])

    def start(self, spec_file: Path, options: Sequence[str]) -> None:
        """Start the process. It ends with this one, however this one ends."""
        self.base_path.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "node.cli", "node", "--chain", str(spec_file)]
        command += ["--base-path", str(self.base_path), "--name", self.name, "--validator"]
        command += ["--dev-key", self.uri, "--port", "0", "--rpc-port", "0", "--p2p-listen", "127.0.0.1"]
        command += ["--prometheus-port", "0"]
        command += ["--ready-file", str(self._ready_file), "--die-with", str(os.getpid()), *options]
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C reaches the devnet alone, which then stops its nodes in order.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def _ready_file(self) -> Path:
        return self.base_path / "ready.json"

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the node's services are up. Raise DevnetError when it ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not self._ready_file.exists():
            self.check_alive()
            if time.monotonic() > deadline:
                raise DevnetError(
                    f"node {self.name} was not ready after {timeout_s:.0f} s: see {self.log_file}"
                )
            time.sleep(0.05)
        self.ready = json.loads(self._ready_file.read_text(encoding="utf-8"))

    def check_alive(self) -> None:
        """Raise DevnetError when the process has ended, with the last line it logged."""
        status = self.process.poll() if self.process is not None else None
        if status is not None:
            raise DevnetError(
                f"node {self.name} ended with status {status}: {self.last_log_line()} (see {self.log_file})"
            )

    def last_log_line(self) -> str:
        """Return the last line of the log that says something."""
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "no log"
        return next((line.strip() for line in reversed(lines) if line.strip()), "it logged nothing")

    def terminate(self) -> None:
        """Ask the process to stop."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def reap(self, timeout_s: float = STOP_SECONDS) -> None:
        """Wait for the process to end; kill it and whatever it started when it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def stop_all(nodes: Sequence[NodeProcess]) -> None:
    """Stop all nodes at once and wait until none is left."""
    for node in nodes:
        node.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for node in nodes:
        node.reap(max(0.1, deadline - time.monotonic()))

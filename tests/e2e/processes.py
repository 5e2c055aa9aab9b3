"""Starting `pocl` as a user does, and nodes that tests talk to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
POCL = [sys.executable, "-m", "node.cli"]


def pocl(*arguments: str | Path, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a `pocl` command to its end."""
    command = [*POCL, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=timeout)


def refused(*arguments: str | Path, stdin: str = "", status: int = 1) -> str:
    """Run a command that must fail: return its one line on stderr."""
    done = pocl(*arguments, stdin=stdin)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == status, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("pocl: "), done.stderr
    assert "internal error" not in lines[0]
    return lines[0]


@contextmanager
def running_node(base_path: Path, *options: str | Path) -> Iterator[dict[str, Any]]:
    """Run a node on ports of the system's choice; yield what its ready file says."""
    base_path.mkdir(parents=True, exist_ok=True)
    ready = base_path / "ready.json"
    ready.unlink(missing_ok=True)
    command = [*POCL, "node", "--base-path", str(base_path), "--port", "0", "--rpc-port", "0"]
    command += ["--prometheus-port", "0", "--p2p-listen", "127.0.0.1", "--ready-file", str(ready)]
    command += map(str, options)
    log_file = base_path / "node.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None, log_file.read_text()
            assert time.monotonic() < deadline, log_file.read_text()
            time.sleep(0.05)
        yield json.loads(ready.read_text())
        assert process.poll() is None, log_file.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

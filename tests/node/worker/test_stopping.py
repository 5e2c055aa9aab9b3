"""A worker that is told to stop, at the worst moment."""

from __future__ import annotations

import subprocess
import sys

# The signals come while the main thread holds the lock of the very event that they set.
SCRIPT = """
import os, signal, threading
from node.worker.main import _stop_on_signals
stopping = threading.Event()
_stop_on_signals(stopping, supervised=True)
try:
    with stopping._cond:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
except SystemExit:
    pass
os.kill(os.getpid(), signal.SIGTERM)
print(stopping.wait(20))
"""


def test_signals_that_come_at_the_worst_moment_stop_the_worker() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr

"""When a process ends: with the one that started it, or on a signal."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys

import trio

log = logging.getLogger("pocl.node")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent_pid: int, with_signal: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process a signal when its parent ends, however it ends (kill -9 included).

    The parent's *thread* that started this process is what counts: it must be one that lives as long as the
    parent. End this process at once when the parent has gone already. Linux only; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent_pid:
        # It ended between our start and the request, which therefore came too late.
        os.kill(os.getpid(), with_signal)


async def stop_on_signal(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Cancel a scope on SIGINT or SIGTERM."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            log.info("stopping on %s", signal.Signals(number).name)
            scope.cancel()
            return

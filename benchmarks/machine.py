"""What a figure was measured on: the machine, and the versions of what matters for speed."""

from __future__ import annotations

import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path

import plyvel
import psutil

LIBRARIES = ("protobuf", "grpcio", "PyNaCl", "plyvel", "libp2p", "trio")


def machine() -> dict[str, str | int | float]:
    """Return CPU, cores, memory and operating system."""
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "os": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries under the hot paths."""
    found = {"python": platform.python_version(), "leveldb": plyvel.__leveldb_version__}
    return found | {name: version(name) for name in LIBRARIES}


class Others:
    """What other programs than this process and its children take of the machine, from now on."""

    def __init__(self) -> None:
        self._began, self._before = time.perf_counter(), self._used()

    def share(self) -> float:
        """Return their share of all cores until now, 0 to 1. A child counts as its own once it has ended."""
        cores = (time.perf_counter() - self._began) * (psutil.cpu_count() or 1)
        # The system counts in ticks of 10 ms: of a very short time it may count less than what was used.
        return max(0.0, self._used() - self._before) / cores

    @staticmethod
    def _used() -> float:
        times = psutil.cpu_times()
        busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
        own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return float(busy - sum(one.ru_utime + one.ru_stime for one in own))


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

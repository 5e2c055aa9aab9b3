"""What a figure was measured on: the machine, and the versions of what matters for speed."""

from __future__ import annotations

import platform
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


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

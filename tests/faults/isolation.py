"""Namespaces for one run: a disk of limited size for each node, and cables that can be cut.

The script moves itself into a network and a mount namespace of its own, so nothing of the machine's is touched, and
all of it vanishes with the last process of the run, however that ends. In there:

    script ── control bridge ──┬── node 1 ──┬── bridge A        gRPC goes over "control", libp2p over "peers".
                               ├── node 2 ──┤                    A cut moves some nodes' cables to bridge B:
                               └── node 3 ──┴── bridge B         frames vanish, as from a cable that was pulled.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_CLONE_NEWNS = 0x00020000  # linux/sched.h
_CLONE_NEWNET = 0x40000000

CONTROL, PEERS = "10.77.0", "10.78.0"


def missing() -> str | None:
    """Return why there can be no namespaces here, None when there can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [tool for tool in ("ip", "nsenter", "unshare", "mount") if shutil.which(tool) is None]
    return f"needs {', '.join(absent)}" if absent else None


def enter() -> str | None:
    """Move this process, before it has any threads, into namespaces of its own; say why that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS) != 0:
        return f"namespaces are refused: {os.strerror(ctypes.get_errno())}"
    _run("mount", "--make-rprivate", "/")
    _run("ip", "link", "set", "lo", "up")
    return None


class Disks:
    """A tmpfs of its own for every base path."""

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self._mounted: list[Path] = []

    def mount(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "pocl-faults", str(path))
        self._mounted.append(path)

    def close(self) -> None:
        """Unmount all, and lose what they hold; without it they go with the mount namespace."""
        while self._mounted:
            _run("umount", "-l", str(self._mounted.pop()))

    def fill(self, path: Path) -> Path:
        """Leave no free byte, also when called again; return the file to remove."""
        ballast = path / "ballast"
        with ballast.open("ab", buffering=0) as file:
            try:
                free = os.statvfs(path)
                room = max(1, free.f_bavail * free.f_bsize - 65536)
                os.posix_fallocate(file.fileno(), file.tell(), room)
                file.seek(0, os.SEEK_END)
                while True:
                    file.write(bytes(4096))
            except OSError:
                return ballast


class Cables:
    """Network namespaces of `count` nodes, each with one interface on the control bridge and one for peers."""

    def __init__(self, count: int) -> None:
        for bridge in ("control", "peersA", "peersB"):
            _run("ip", "link", "add", bridge, "type", "bridge")
            _run("ip", "link", "set", bridge, "up")
        _run("ip", "addr", "add", f"{CONTROL}.254/24", "dev", "control")
        # Each lives as long as this script holds its stdin open.
        self._holders = [
            subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            for _ in range(count)
        ]
        for index, holder in enumerate(self._holders):
            self._await_namespace(holder.pid)
            self._inside(index, "ip", "link", "set", "lo", "up")
            self._plug(index, "c", "control", CONTROL)
            self._plug(index, "p", "peersA", PEERS)

    def prefix(self, index: int) -> list[str]:
        """Return what goes before a command that is to run at that node."""
        return ["nsenter", "-t", str(self._holders[index].pid), "-n"]

    def cut(self, group: Iterable[int]) -> None:
        """Separate these nodes from all others; they keep reaching each other."""
        for index in group:
            _run("ip", "link", "set", f"p{index}", "master", "peersB")

    def heal(self) -> None:
        for index in range(len(self._holders)):
            _run("ip", "link", "set", f"p{index}", "master", "peersA")

    def close(self) -> None:
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def _plug(self, index: int, kind: str, bridge: str, network: str) -> None:
        here, there, pid = f"{kind}{index}", f"{kind}-node", str(self._holders[index].pid)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", pid)
        _run("ip", "link", "set", here, "master", bridge, "up")
        self._inside(index, "ip", "addr", "add", f"{network}.{index + 1}/24", "dev", there)
        self._inside(index, "ip", "link", "set", there, "up")

    def _inside(self, index: int, *command: str) -> None:
        _run(*self.prefix(index), *command)

    @staticmethod
    def _await_namespace(pid: int) -> None:
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{pid}/ns/net") == own:
            os.sched_yield()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")

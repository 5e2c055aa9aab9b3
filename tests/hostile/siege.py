"""Three honest validators of four, and everything hostile against the first of them: `make hostile MINUTES=5`.

The fourth validator is honest until the chain runs; then the attacker has its key. Measured every second: the
resident memory of the node under attack; at the end: blocks made final, time from proposal to final. Fails when
memory passes the bound, when finality stood still for longer than allowed, or when the nodes disagree.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from node.devnet.processes import NodeProcess, stop_all
from node.spec_files import find
from pocl.client import Client, ClientError
from pocl.keys import Keypair

MAX_RESIDENT_MB = 300
MAX_PAUSE_S = 60.0
"""Longest time without a new final block. A view of the attacker's costs a leader's timer, which doubles."""


@dataclass
class Report:
    """What was measured."""

    seconds: float
    resident_mb: list[int]
    blocks: int
    longest_pause_s: float
    finality_ms: list[int]

    def lines(self) -> list[str]:
        """Return the report for people."""
        ordered = sorted(self.finality_ms) or [0]
        p50, p99 = (ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99))
        return [
            f"resident memory  {self.resident_mb[0]} MB at the start, at most {max(self.resident_mb)} MB",
            f"blocks final     {self.blocks} in {self.seconds:.0f} s, longest pause {self.longest_pause_s:.1f} s",
            f"finality         p50 {p50} ms, p99 {p99} ms",
        ]


def besiege(folder: Path, minutes: float, hostile: bool = True) -> Report:
    """Run the nodes and the attacker, and measure."""
    spec = find("local")
    names = ("Alice", "Bob", "Charlie", "Dave")
    nodes = [NodeProcess(name.lower(), f"//{name}", folder / name.lower()) for name in names]
    attacker: subprocess.Popen[bytes] | None = None
    try:
        bootnodes: list[str] = []
        for node in nodes:
            node.start(spec, ["--no-worker", *bootnodes])
            node.wait_ready(60)
            bootnodes = bootnodes or [f"--bootnodes={node.addresses[0]}"]
        _wait_for_block(nodes[0], 3)
        stop_all([nodes.pop()])
        if hostile:
            command = [sys.executable, "-m", "tests.hostile", "--target", nodes[0].addresses[0]]
            command += ["--key", "//Dave", "--minutes", str(minutes)]
            attacker = subprocess.Popen(command)
        report = _measure(nodes[0], minutes * 60)
        _agree(nodes)
        return report
    finally:
        if attacker is not None:
            try:
                attacker.wait(timeout=10)
            except subprocess.TimeoutExpired:
                attacker.terminate()
                attacker.wait()
        stop_all(nodes)


def _measure(node: NodeProcess, seconds: float) -> Report:
    process = psutil.Process(node.process.pid if node.process is not None else 0)
    eve = Keypair.from_uri("//Eve")
    started = moved = time.monotonic()
    resident: list[int] = []
    pause = 0.0
    with Client(node.rpc_address, timeout_s=30) as client:
        first = last = client.node_info().final_number
        while time.monotonic() < started + seconds:
            node.check_alive()
            resident.append(process.memory_info().rss // 10**6)
            try:
                client.submit(client.sign(eve, client.call("system", "remark", remark=b"still here")))
                info = client.node_info()
            except ClientError as error:
                print(f"  {error}", file=sys.stderr)
            now = time.monotonic()
            if info.final_number > last:
                last, moved = info.final_number, now
            pause = max(pause, now - moved)
            if len(resident) % 15 == 0:
                peers = len(client.peers())
                print(f"  {len(resident)} s: {resident[-1]} MB, block {last}, {peers} peers", flush=True)
            time.sleep(max(0.0, 1 - (time.monotonic() - now)))
        finality = list(client.node_info().finality_ms)
    return Report(time.monotonic() - started, resident, last - first, pause, finality)


def _wait_for_block(node: NodeProcess, number: int) -> None:
    with Client(node.rpc_address, timeout_s=30) as client:
        deadline = time.monotonic() + 60
        while client.node_info().final_number < number:
            assert time.monotonic() < deadline, node.last_log_line()
            time.sleep(0.2)


def _agree(nodes: list[NodeProcess]) -> None:
    clients = [Client(node.rpc_address) for node in nodes]
    try:
        height = min(client.node_info().final_number for client in clients)
        hashes = {client.block(height).hash for client in clients}
        assert len(hashes) == 1, f"the nodes disagree at block {height}"
    finally:
        for client in clients:
            client.close()


def main() -> int:
    """Run, print, and tell whether the bounds held."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.siege", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--peace", action="store_true", help="without the attacker, to compare")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pocl-siege-") as folder:
        report = besiege(Path(folder), given.minutes, hostile=not given.peace)
    print("\n".join(report.lines()))
    held = max(report.resident_mb) < MAX_RESIDENT_MB and report.longest_pause_s < MAX_PAUSE_S
    if not held:
        print(f"not within {MAX_RESIDENT_MB} MB and pauses of {MAX_PAUSE_S:.0f} s", file=sys.stderr)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

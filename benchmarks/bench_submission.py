"""Submission: signed transfers from two client processes through gRPC into one dev node, until all are final.

In batches of 100 and one by one, as fast as the node takes them, for a minute; when it is full it says so, and the
client offers the transfer again. Afterwards every transfer that was taken is looked up on chain, and those that
succeeded are counted: one that failed costs less and is not what was asked for. Nothing settles meanwhile, since the
node has no worker: all stay in the queue, which must hold them. The clients sign before the start; the CPU time they
use for submitting is taken from the same cores, and told.
"""

from __future__ import annotations

import threading

from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Finality, Usage, included, running, submitting
from pocl.client import Client

CLIENTS = 2
SENDERS = 256
"""Accounts of each client process."""
SECONDS = 60
MOST = {"batches of 100": 6000, "one by one": 3000}
"""Transfers that are signed for a second of submitting: more than a node takes, or `lasted` misses its floor."""

MB = 1e6

FIGURES = tuple(
    Figure(f"{how}: {name}", unit, floor, better)
    for how, least in (("batches of 100", 2000), ("one by one", 1000))
    for name, unit, floor, better in (
        ("until final", "transfers/s", least, "higher"),
        ("lost", "transfers", 0, LOWER),
        ("failed on chain", "transfers", 0, LOWER),
        ("lasted", "s", SECONDS, "higher"),
        ("in a block", "transfers", None, "higher"),
        ("offered again, the node was full", "times", None, LOWER),
        ("node's CPU time", "us a transfer", None, LOWER),
        ("clients' CPU time", "us a transfer", None, LOWER),
        ("resident at the start", "MB", None, LOWER),
        ("resident at the end", "MB", None, LOWER),
        # Without the database's files that are mapped into the process, which the system takes back when it wants to.
        # LevelDB's two write buffers fill and empty, which is 34 MB up or down.
        ("memory, growth over the second half", "MB", 40, LOWER),
    )
)


def measure(bench: Bench) -> None:
    seconds = SECONDS * bench.scale
    _measure(bench, "batches of 100", seconds, 100, 2)
    _measure(bench, "one by one", seconds, 1, 8)


def _measure(bench: Bench, how: str, seconds: float, batch: int, threads: int) -> None:
    """Submit for so long in calls of `batch`, each client from so many threads."""
    each = 1 + int(MOST[how] * seconds / (CLIENTS * SENDERS))
    with running("dev", CLIENTS * SENDERS, ["//Alice"]) as nodes:
        address = nodes[0].rpc_address
        clients = [address] * CLIENTS
        with submitting(clients, SENDERS, each, batch, threads, seconds=seconds) as run:
            finality, usage = Finality(address), Usage(nodes)
            half: list[int] = []
            timer = threading.Timer(seconds / 2, lambda: half.extend(usage.private()))
            timer.start()
            results = run()
            timer.join()
        finality.wait_until_empty(60)
        finality.close()
        cpu_s, rss, grown = usage.cpu_s()[0], usage.rss()[0], usage.private()[0] - half[0]
        with Client.connect(address) as client:
            found, failed = included(client, 1, finality.heights[-1][1])
    taken = [hash for result in results for hash in result.split()]
    blocks = [found[hash] for hash in taken if hash in found and hash not in failed]
    lasted = finality.when(max(blocks)) - finality.heights[0][0]
    for name, value in (
        ("until final", len(blocks) / lasted),
        ("lost", sum(hash not in found for hash in taken)),
        ("failed on chain", len(failed)),
        ("lasted", lasted),
        ("in a block", len(blocks) / len(set(blocks))),
        ("offered again, the node was full", sum(result.busy for result in results)),
        ("node's CPU time", 1e6 * cpu_s / len(blocks)),
        ("clients' CPU time", 1e6 * sum(result.cpu_s for result in results) / len(blocks)),
        ("resident at the start", usage.rss_before[0] / MB),
        ("resident at the end", rss / MB),
        ("memory, growth over the second half", grown / MB),
    ):
        bench.add(f"{how}: {name}", value)

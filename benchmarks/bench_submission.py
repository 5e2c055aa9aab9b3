"""Submission: signed transfers from two client processes through gRPC into one dev node, until all are final.

In batches of 100 and one by one, as fast as the node takes them; when it is full it says so, and the client offers
the transfer again. Afterwards every transfer that was taken is looked up on chain. The clients sign before the
start; the CPU time they use for submitting is taken from the same cores, and told.
"""

from __future__ import annotations

from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Finality, Usage, included, running, submitting
from pocl.client import Client

CLIENTS = 2
SENDERS = 256
"""Accounts of each client process."""

MIB = 2**20

FIGURES = tuple(
    Figure(f"{how}: {name}", unit, floor, better)
    for how, least in (("batches of 100", 2000), ("one by one", 1000))
    for name, unit, floor, better in (
        ("until final", "transfers/s", least, "higher"),
        ("lost", "transfers", 0, LOWER),
        ("lasted", "s", None, LOWER),
        ("in a block", "transfers", None, "higher"),
        ("offered again, the node was full", "times", None, LOWER),
        ("refused on chain, the queue was full", "transfers", None, LOWER),
        ("node's CPU time", "us a transfer", None, LOWER),
        ("clients' CPU time", "us a transfer", None, LOWER),
        ("resident at the start", "MiB", None, LOWER),
        ("resident at the end", "MiB", None, LOWER),
    )
)


def measure(bench: Bench) -> None:
    _measure(bench, "batches of 100", bench.scaled(120_000), 100, 2)
    _measure(bench, "one by one", bench.scaled(60_000), 1, 8)


def _measure(bench: Bench, how: str, count: int, batch: int, threads: int) -> None:
    """Submit `count` transfers in calls of `batch`, each client from so many threads."""
    each = -(-count // (CLIENTS * SENDERS))
    with running("dev", CLIENTS * SENDERS, ["//Alice"]) as nodes:
        address = nodes[0].rpc_address
        with submitting([address] * CLIENTS, SENDERS, each, batch, threads) as run:
            finality, usage = Finality(address), Usage(nodes)
            results = run()
        finality.wait_until_empty(60)
        finality.close()
        cpu_s, rss = usage.cpu_s()[0], usage.rss()[0]
        with Client.connect(address) as client:
            found, failed = included(client, 1, finality.heights[-1][1])
    taken = [hash for result in results for hash in result.split()]
    blocks = [found[hash] for hash in taken if hash in found]
    seconds = finality.when(max(blocks)) - finality.heights[0][0]
    for name, value in (
        ("until final", len(blocks) / seconds),
        ("lost", len(taken) - len(blocks)),
        ("lasted", seconds),
        ("in a block", len(blocks) / len(set(blocks))),
        ("offered again, the node was full", sum(result.busy for result in results)),
        ("refused on chain, the queue was full", failed),
        ("node's CPU time", 1e6 * cpu_s / len(blocks)),
        ("clients' CPU time", 1e6 * sum(result.cpu_s for result in results) / len(blocks)),
        ("resident at the start", usage.rss_before[0] / MIB),
        ("resident at the end", rss / MIB),
    ):
        bench.add(f"{how}: {name}", value)

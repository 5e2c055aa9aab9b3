"""Memory of a node: five nodes on this machine, so that each has four peers, and 10,000 blocks as fast as four
validators agree on them. The fifth node follows. A chain of 100,000 accounts, and 10,000 transfers among every tenth
of them for some minutes: what a node caches of the state fills up.

Resident memory is what the system counts, files of the database that are mapped into the process included. It goes up
and down by more than ten megabytes, with LevelDB's write buffers and the files that are merged: so it is looked at all
the time. What counts is the median over the last quarter of the blocks, and for growth that over the second beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.bench_network import VALIDATORS
from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Usage, running, submitting
from node.devnet.processes import NodeProcess
from pocl.client import Client

BLOCKS = 10_000
ACCOUNTS = 100_000
STRIDE = 10
"""Every so many-th account sends one transfer."""
RATE = 20
PAUSE_S = 0.2
"""Between two looks at the nodes."""
PRUNING = 1024
"""Blocks that each keeps: the last validator starts when the others go on already, and has to get theirs."""
LATE_S = 30
"""A node that is not where the others were so long before has not taken part."""
FAST = {"block_interval_ms": 1, "heartbeat_ms": 20}

MB = 1e6

START = "resident at the start, largest node"
END, MOST = "resident after all blocks, largest node", "resident at most, largest node"
SMALLEST = "resident after all blocks, smallest node"
GROWTH = "growth from the second quarter to the last"

FIGURES = (
    Figure(START, "MB", None, LOWER),
    Figure(END, "MB", 150, LOWER),
    Figure(SMALLEST, "MB", None, LOWER),
    Figure(MOST, "MB", None, LOWER),
    Figure(GROWTH, "MB", 5, LOWER),
    Figure("blocks", "blocks/s"),
    Figure("CPU time of a node", "us a block", None, LOWER),
)

Samples = Sequence[tuple[int, Sequence[int]]]
"""Final height, and the resident bytes of each node then."""


def measure(bench: Bench) -> None:
    blocks = bench.scaled(BLOCKS, 200)
    senders = bench.scaled(ACCOUNTS // STRIDE, 10)
    # The follower first, before there is a quorum.
    names = ("//Eve", *VALIDATORS)
    with running("local", senders * STRIDE, names, consensus=FAST, pruning=PRUNING) as nodes:
        address = nodes[1].rpc_address
        with (
            submitting([address], senders, 1, 1, 1, RATE, stride=STRIDE) as run,
            Client.connect(address) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            load = pool.submit(run)
            usage, began, first = Usage(nodes), time.monotonic(), client.info().final_number
            samples = _watch(client, usage, first + blocks)
            made, seconds = samples[-1][0] - first, time.monotonic() - began
            cpu_s = usage.cpu_s()
            load.result()
            require_in_step(nodes, samples[-1][0])
    bench.add(START, max(usage.rss_before) / MB)
    second = medians(samples, first + blocks // 4, first + blocks // 2)
    last = medians(samples, first + blocks * 3 // 4, first + blocks)
    bench.add(END, max(last) / MB)
    bench.add(SMALLEST, min(last) / MB)
    bench.add(MOST, max(size for _, sizes in samples for size in sizes) / MB)
    bench.add(GROWTH, max(late - early for early, late in zip(second, last, strict=True)) / MB)
    bench.add("blocks", made / seconds)
    bench.add("CPU time of a node", 1e6 * sum(cpu_s) / len(cpu_s) / made)


def require_in_step(nodes: Sequence[NodeProcess], number: int) -> None:
    """Raise RuntimeError unless every node comes to block `number` soon: one that is stuck has little in memory."""
    deadline = time.monotonic() + LATE_S
    for node in nodes:
        with Client.connect(node.rpc_address) as client:
            while (height := client.info().final_number) < number:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"{node.name} is at block {height}, not {number}: {client.status().sentence}"
                    )
                time.sleep(PAUSE_S)


def medians(samples: Samples, after: int, until: int) -> list[float]:
    """Return each node's median at the heights above `after`, up to `until`."""
    sizes = [sizes for height, sizes in samples if after < height <= until]
    return [statistics.median(node) for node in zip(*sizes, strict=True)]


def _watch(client: Client, usage: Usage, until: int) -> Samples:
    """Look at the nodes until block `until` is final."""
    samples: list[tuple[int, Sequence[int]]] = []
    while not samples or samples[-1][0] < until:
        time.sleep(PAUSE_S)
        samples.append((client.info().final_number, usage.rss()))
    return samples

"""Memory of a node: five nodes on this machine, so that each has four peers, and 10,000 blocks as fast as four
validators agree on them. The fifth node follows. A chain of 100,000 accounts, and 10,000 transfers among every tenth
of them for some minutes: what a node caches of the state fills up.

Resident memory is what the system counts, files of the database that are mapped into the process included.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.bench_network import VALIDATORS
from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Usage, running, submitting
from pocl.client import Client

BLOCKS = 10_000
ACCOUNTS = 100_000
STRIDE = 10
"""Every so many-th account sends one transfer."""
RATE = 20
FAST = {"block_interval_ms": 1, "heartbeat_ms": 20}

MB = 1e6

FIGURES = (
    Figure("resident after 1,000 blocks, largest node", "MB", None, LOWER),
    Figure("resident after half of the blocks, largest node", "MB", None, LOWER),
    Figure("resident after all blocks, largest node", "MB", 150, LOWER),
    Figure("resident after all blocks, smallest node", "MB", None, LOWER),
    Figure("growth over the second half, largest node", "MB", 5, LOWER),
    Figure("blocks", "blocks/s"),
    Figure("CPU time of a node", "us a block", None, LOWER),
)


def measure(bench: Bench) -> None:
    blocks = bench.scaled(BLOCKS, 200)
    senders = bench.scaled(ACCOUNTS // STRIDE, 10)
    with running("local", senders * STRIDE, (*VALIDATORS, "//Eve"), consensus=FAST, pruning=256) as nodes:
        address = nodes[0].rpc_address
        with (
            submitting([address], senders, 1, 1, 1, RATE, stride=STRIDE) as run,
            Client.connect(address) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            load = pool.submit(run)
            usage, began, first = Usage(nodes), time.monotonic(), client.info().final_number
            early = _at(client, usage, min(1000, blocks // 10))
            half = _at(client, usage, blocks // 2)
            end = _at(client, usage, blocks)
            made, seconds = client.info().final_number - first, time.monotonic() - began
            cpu_s = usage.cpu_s()
            load.result()
    bench.add("resident after 1,000 blocks, largest node", max(early) / MB)
    bench.add("resident after half of the blocks, largest node", max(half) / MB)
    bench.add("resident after all blocks, largest node", max(end) / MB)
    bench.add("resident after all blocks, smallest node", min(end) / MB)
    growth = max(late - before for late, before in zip(end, half, strict=True))
    bench.add("growth over the second half, largest node", growth / MB)
    bench.add("blocks", made / seconds)
    bench.add("CPU time of a node", 1e6 * sum(cpu_s) / len(cpu_s) / made)


def _at(client: Client, usage: Usage, number: int) -> list[int]:
    """Return the resident bytes of all nodes once block `number` is final."""
    while client.info().final_number < number:
        time.sleep(0.2)
    return usage.rss()

"""Memory of a node: five nodes on this machine, so that each has four peers, and 10,000 blocks as fast as four
validators agree on them, with ten transfers a second for some minutes. The fifth node follows.

Resident memory is what the system counts, files of the database that are mapped into the process included.
"""

from __future__ import annotations

import threading
import time

from benchmarks.bench_network import VALIDATORS
from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Usage, running, submitting
from pocl.client import Client

BLOCKS = 10_000
SENDERS = 50
RATE = 10
FAST = {"block_interval_ms": 1, "heartbeat_ms": 20}

MIB = 2**20

FIGURES = (
    Figure("resident after 1,000 blocks, largest node", "MiB", None, LOWER),
    Figure("resident after half of the blocks, largest node", "MiB", None, LOWER),
    Figure("resident after all blocks, largest node", "MiB", 150, LOWER),
    Figure("resident after all blocks, smallest node", "MiB", None, LOWER),
    Figure("growth over the second half, largest node", "MiB", 5, LOWER),
    Figure("blocks", "blocks/s"),
    Figure("CPU time of a node", "us a block", None, LOWER),
)


def measure(bench: Bench) -> None:
    blocks = bench.scaled(BLOCKS, 200)
    with running("local", SENDERS, (*VALIDATORS, "//Eve"), consensus=FAST, pruning=256) as nodes:
        address = nodes[0].rpc_address
        each = bench.scaled(100)
        with submitting([address], SENDERS, each, 1, 1, RATE) as run, Client.connect(address) as client:
            load = threading.Thread(target=run)
            load.start()
            usage, began, first = Usage(nodes), time.monotonic(), client.info().final_number
            early = _at(client, usage, min(1000, blocks // 10))
            half = _at(client, usage, blocks // 2)
            end = _at(client, usage, blocks)
            made, seconds = client.info().final_number - first, time.monotonic() - began
            cpu_s = usage.cpu_s()
            load.join()
    bench.add("resident after 1,000 blocks, largest node", max(early) / MIB)
    bench.add("resident after half of the blocks, largest node", max(half) / MIB)
    bench.add("resident after all blocks, largest node", max(end) / MIB)
    bench.add("resident after all blocks, smallest node", min(end) / MIB)
    growth = max(late - before for late, before in zip(end, half, strict=True))
    bench.add("growth over the second half, largest node", growth / MIB)
    bench.add("blocks", made / seconds)
    bench.add("CPU time of a node", 1e6 * sum(cpu_s) / len(cpu_s) / made)


def _at(client: Client, usage: Usage, number: int) -> list[int]:
    """Return the resident bytes of all nodes once block `number` is final."""
    while client.info().final_number < number:
        time.sleep(0.2)
    return usage.rss()

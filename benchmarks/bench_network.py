"""Four validators on this machine, without workers: 500 transfers a second until final, and how fast finality is.

Two client processes submit one by one to two of the nodes. A transfer's time to finality ends when its block is
final at the first node, as a poll every 20 ms sees it. Proposal to final is what the nodes note themselves
(NodeInfo.finality_ms): a leader from the moment its block is built, the others from that in which they have it.
The clients and all four nodes share the machine's cores.
"""

from __future__ import annotations

from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Finality, Usage, included, percentile, running, submitting
from node.devnet.processes import NodeProcess
from pocl.client import Client

VALIDATORS = ("//Alice", "//Bob", "//Charlie", "//Dave")
SENDERS = 250
"""Accounts of each of the two clients."""
RATE = 500
IDLE_RATE = 10

MB = 1e6

FIGURES = (
    # The last transfers are final a little after the last second of submitting.
    Figure("four validators: transfers final", "transfers/s", 0.97 * RATE),
    Figure("four validators: lost", "transfers", 0, LOWER),
    Figure("four validators: submit to final, p50", "ms", None, LOWER),
    Figure("four validators: submit to final, p99", "ms", 3000, LOWER),
    Figure("four validators: CPU time of a node", "us a transfer", None, LOWER),
    Figure("four validators: clients' CPU time", "us a transfer", None, LOWER),
    Figure("four validators: resident at the end, largest", "MB", None, LOWER),
    Figure("finality, nearly idle: proposal to final, p50", "ms", 150, LOWER),
    Figure("finality, nearly idle: proposal to final, p99", "ms", 500, LOWER),
    Figure("finality, loaded: proposal to final, p50", "ms", None, LOWER),
    Figure("finality, loaded: proposal to final, p99", "ms", None, LOWER),
)


def measure(bench: Bench) -> None:
    seconds = bench.scaled(60, 4)
    with running("local", 2 * SENDERS, VALIDATORS) as nodes:
        _finality(bench, "nearly idle", nodes, IDLE_RATE, seconds)
    with running("local", 2 * SENDERS, VALIDATORS) as nodes:
        _finality(bench, "loaded", nodes, RATE, seconds)


def _finality(bench: Bench, how: str, nodes: list[NodeProcess], rate: int, seconds: int) -> None:
    addresses = [node.rpc_address for node in nodes]
    senders = SENDERS if rate == RATE else IDLE_RATE
    each = -(-rate * seconds // (2 * senders))
    with submitting(addresses[:2], senders, each, 1, 4, rate) as run:
        finality, usage = Finality(addresses[0], 0.02), Usage(nodes)
        results = run()
    finality.wait_until_empty(60)
    finality.close()
    cpu_s = usage.cpu_s()
    with Client.connect(addresses[0]) as client:
        found, failed = included(client, 1, finality.heights[-1][1])
    durations = [ms for address in addresses for ms in _finality_ms(address)]
    bench.add(f"finality, {how}: proposal to final, p50", percentile(durations, 0.5))
    bench.add(f"finality, {how}: proposal to final, p99", percentile(durations, 0.99))
    if rate != RATE:
        return
    taken = [pair for result in results for pair in zip(result.split(), result.times, strict=True)]
    # One that failed on chain is lost to who sent it.
    times = [
        1000 * (finality.when(found[hash]) - since)
        for hash, since in taken
        if hash in found and hash not in failed
    ]
    lasted = finality.when(max(found.values())) - min(since for _, since in taken)
    bench.add("four validators: transfers final", len(times) / lasted)
    bench.add("four validators: lost", len(taken) - len(times))
    bench.add("four validators: submit to final, p50", percentile(times, 0.5))
    bench.add("four validators: submit to final, p99", percentile(times, 0.99))
    bench.add("four validators: CPU time of a node", 1e6 * sum(cpu_s) / len(cpu_s) / len(times))
    bench.add(
        "four validators: clients' CPU time", 1e6 * sum(result.cpu_s for result in results) / len(times)
    )
    bench.add("four validators: resident at the end, largest", max(usage.rss()) / MB)


def _finality_ms(address: str) -> list[int]:
    with Client.connect(address) as client:
        return list(client.node_info().finality_ms)

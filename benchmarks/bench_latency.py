"""Latency: one dev node, a client that submits 50 transfers a second, each from its call until its stream of
statuses says FINALIZED.
"""

from __future__ import annotations

import threading
import time

from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.load import Usage, percentile, running, transfers
from node.devnet.processes import NodeProcess
from pocl.client import Client
from pocl.v1.transactions_service_pb2 import TransactionStatus

RATE = 50
SENDERS = 100

FIGURES = (
    Figure("submit to final, p50", "ms", 15, LOWER),
    Figure("submit to final, p99", "ms", 50, LOWER),
    Figure("submit to final, worst", "ms", None, LOWER),
    Figure("transfers", "", None),
    Figure("node's CPU time", "us a transfer", None, LOWER),
    Figure("client's CPU time", "us a transfer", None, LOWER),
)


def measure(bench: Bench) -> None:
    with running("dev", SENDERS, ["//Alice"]) as nodes:
        latencies, node_cpu_s, client_cpu_s = _submit(nodes, bench.scaled(60 * RATE, 2 * RATE))
    bench.add("submit to final, p50", percentile(latencies, 0.5))
    bench.add("submit to final, p99", percentile(latencies, 0.99))
    bench.add("submit to final, worst", max(latencies))
    bench.add("transfers", len(latencies))
    bench.add("node's CPU time", 1e6 * node_cpu_s / len(latencies))
    bench.add("client's CPU time", 1e6 * client_cpu_s / len(latencies))


def _submit(nodes: list[NodeProcess], count: int) -> tuple[list[float], float, float]:
    """Return the latencies in ms, and the CPU seconds of node and client."""
    address = nodes[0].rpc_address
    extrinsics = transfers(address, range(SENDERS), -(-count // SENDERS))[:count]
    latencies: list[float] = []
    with Client.connect(address) as client:

        def follow(extrinsic: bytes) -> None:
            began = time.perf_counter()
            for status in client.submit_and_watch(extrinsic, timeout_s=60):
                if status.kind == TransactionStatus.FINALIZED:
                    latencies.append(1000 * (time.perf_counter() - began))
                    return

        follow(extrinsics[0])
        latencies.clear()
        usage, cpu = Usage(nodes), time.process_time()
        began, threads = time.perf_counter(), []
        for number, extrinsic in enumerate(extrinsics[1:]):
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            threads.append(threading.Thread(target=follow, args=(extrinsic,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        cpu = time.process_time() - cpu
    if len(latencies) != len(threads):
        raise AssertionError(f"{len(threads) - len(latencies)} transfers did not become final")
    return latencies, usage.cpu_s()[0], cpu

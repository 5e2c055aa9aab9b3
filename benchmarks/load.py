"""Load for real nodes: a spec with many funded accounts, signed transfers, processes that submit them, and what
the nodes' processes used meanwhile.

The submitting processes run on the same machine as the nodes and take their share of its cores: what they used is
part of every result.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil

from node.devnet.processes import NodeProcess, stop_all
from pocl.client import Client, ClientError
from pocl.extrinsics import extrinsic_hash, sign_call, u128
from pocl.hashing import HASH_SIZE, hash256
from pocl.keys import Keypair, ss58_encode
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.extrinsic_pb2 import Call
from runtime.codec import encode

ROOT = Path(__file__).resolve().parents[1]

PROCESSES = multiprocessing.get_context("spawn")
"""gRPC does not survive a fork."""

_BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED
_PAUSE_S = 0.02
_BALANCE = 10**18


def sender(number: int) -> Keypair:
    """Return the key pair of funded account number `number`."""
    return Keypair.from_seed(hash256("pocl/benchmark-account/1", number.to_bytes(8, "big")))


def write_spec(file: Path, base: str, accounts: int, consensus: Mapping[str, int]) -> None:
    """Write the built-in spec `base` with so many more funded accounts and these timers."""
    spec = json.loads((ROOT / "chain-spec" / f"{base}.json").read_text(encoding="utf-8"))
    spec["id"] = f"{spec['id']}-load"
    spec["consensus"].update(consensus)
    spec["genesis"]["round"]["heartbeat_ms"] = spec["consensus"]["heartbeat_ms"]
    spec["genesis"]["coin"]["balances"] += [
        [ss58_encode(sender(number).public), str(_BALANCE)] for number in range(accounts)
    ]
    file.write_text(json.dumps(spec), encoding="utf-8")


@contextmanager
def running(
    base: str,
    accounts: int,
    uris: Sequence[str],
    consensus: Mapping[str, int] | None = None,
    pruning: int | None = None,
) -> Iterator[list[NodeProcess]]:
    """Run a validator for each URI, connected with each other, without workers."""
    nodes: list[NodeProcess] = []
    with tempfile.TemporaryDirectory(prefix="pocl-bench-") as name:
        spec = Path(name) / "spec.json"
        write_spec(spec, base, accounts, consensus or {})
        try:
            for uri in uris:
                node = NodeProcess(uri.strip("/"), uri, Path(name) / uri.strip("/"))
                options = ["--no-worker", "--pruning", str(pruning or "archive")]
                for address in (address for other in nodes for address in other.addresses):
                    options += ["--bootnodes", address]
                node.start(spec, options)
                nodes.append(node)
                node.wait_ready(300)
            yield nodes
            for node in nodes:
                node.check_alive()
        finally:
            stop_all(nodes)


def transfers(address: str, senders: range, each: int) -> list[bytes]:
    """Return signed transfers, `each` of every sender to the next one, the first of all senders first."""
    with Client.connect(address) as client:
        info = client.info()
    keys = [sender(number) for number in senders]
    calls = [
        Call(
            pallet="coin",
            function="transfer",
            args=encode(CoinCall.Transfer(dest=dest.public, amount=u128(1))),
        )
        for dest in (*keys[1:], keys[0])
    ]
    return [
        sign_call(
            key,
            call,
            genesis_hash=info.genesis_hash,
            spec_version=info.spec_version,
            transaction_version=info.transaction_version,
            nonce=nonce,
        )
        for nonce in range(each)
        for key, call in zip(keys, calls, strict=True)
    ]


@dataclass
class Submitted:
    """What one submitting process did."""

    hashes: bytes = b""
    """Of the extrinsics that the node took, one after the other."""
    times: list[float] = field(default_factory=list)
    """When each of them was first offered, by time.monotonic(), which all processes of a machine share."""
    busy: int = 0
    """How often the node said that it is full, and the extrinsic was offered again later."""
    cpu_s: float = 0.0
    refused: list[str] = field(default_factory=list)

    def split(self) -> list[bytes]:
        """Return the hashes one by one."""
        return [self.hashes[at : at + HASH_SIZE] for at in range(0, len(self.hashes), HASH_SIZE)]


def submit(
    address: str,
    senders: range,
    each: int,
    batch: int,
    threads: int,
    rate: float,
    seconds: float,
    start: object,
    out: object,
) -> None:
    """Sign transfers, put None into the queue `out`, wait for the start, submit them, and put what was done there.

    `batch` 1 makes a call for each. `rate` is in transfers/s; 0: as fast as the node takes them. After `seconds` no
    more are submitted; 0: all are.
    """
    extrinsics = transfers(address, senders, each)
    work = [extrinsics[at : at + batch] for at in range(0, len(extrinsics), batch)]
    position, lock = 0, threading.Lock()
    done = Submitted()
    out.put(None)  # type: ignore[attr-defined]
    start.wait()  # type: ignore[attr-defined]
    began, cpu = time.monotonic(), time.process_time()

    def run() -> None:
        nonlocal position
        with Client.connect(address, timeout_s=60) as client:
            while True:
                with lock:
                    over = seconds and time.monotonic() - began >= seconds
                    if over or position == len(work):
                        return
                    mine, position = position, position + 1
                if rate:
                    time.sleep(max(0.0, began + mine * batch / rate - time.monotonic()))
                _offer(client, work[mine], done, lock)

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(run) for _ in range(threads)]:
            future.result()
    done.cpu_s = time.process_time() - cpu
    out.put(done)  # type: ignore[attr-defined]


def _offer(client: Client, part: list[bytes], done: Submitted, lock: threading.Lock) -> None:
    """Submit these until the node took or refused each."""
    began = time.monotonic()
    while part:
        later: list[bytes] = []
        if len(part) == 1:
            try:
                client.submit(part[0])
                codes = [(0, "")]
            except ClientError as error:
                codes = [(_BUSY.value[0] if error.code == _BUSY.name else 2, str(error))]
        else:
            codes = _offer_batch(client, part)
        taken = []
        for data, (code, error) in zip(part, codes, strict=True):
            if code == _BUSY.value[0]:
                later.append(data)
            elif code or error:
                done.refused.append(error)
            else:
                taken.append(extrinsic_hash(data))
        with lock:
            done.hashes += b"".join(taken)
            done.times += [began] * len(taken)
            done.busy += len(later)
        part = later
        if part:
            time.sleep(_PAUSE_S)


def _offer_batch(client: Client, part: list[bytes]) -> list[tuple[int, str]]:
    """Return code and error of each; the node may also refuse the whole batch for now."""
    try:
        return [(result.code, result.error) for result in client.submit_batch(part)]
    except ClientError as error:
        if error.code != _BUSY.name:
            raise
        return [(_BUSY.value[0], str(error))] * len(part)


@contextmanager
def submitting(
    addresses: Sequence[str],
    senders: int,
    each: int,
    batch: int,
    threads: int,
    rate: float = 0.0,
    *,
    seconds: float = 0.0,
    stride: int = 1,
) -> Iterator[Callable[[], list[Submitted]]]:
    """Start a process for each address and let it sign; yield what starts them all and waits for their results.

    `senders` accounts, of `each` transfers, are each process's own: every `stride`-th of all. `rate` is that of all
    processes together. After `seconds` no more are submitted; 0: all are.
    """
    start, out = PROCESSES.Event(), PROCESSES.Queue()
    processes = [
        PROCESSES.Process(
            target=submit,
            args=(
                address,
                range(at * senders * stride, (at + 1) * senders * stride, stride),
                each,
                batch,
                threads,
                rate / len(addresses),
                seconds,
                start,
                out,
            ),
            daemon=True,
        )
        for at, address in enumerate(addresses)
    ]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            out.get(timeout=600)

        def run() -> list[Submitted]:
            start.set()
            results: list[Submitted] = [out.get(timeout=600) for _ in processes]
            refused = [reason for result in results for reason in result.refused]
            if refused:
                raise AssertionError(f"{len(refused)} transfers were refused: {refused[0]}")
            return results

        yield run
    finally:
        for process in processes:
            process.terminate()
            process.join()


class Usage:
    """CPU seconds and resident bytes of node processes since this was made."""

    def __init__(self, nodes: Sequence[NodeProcess]) -> None:
        self._processes = [psutil.Process(node.process.pid) for node in nodes if node.process is not None]
        self._cpu = [self._cpu_s(process) for process in self._processes]
        self.rss_before = self.rss()

    def rss(self) -> list[int]:
        """Return the resident bytes of each."""
        return [process.memory_info().rss for process in self._processes]

    def private(self) -> list[int]:
        """Return the resident bytes of each that are its own: without the database's files, which are mapped."""
        infos = [process.memory_info() for process in self._processes]
        return [info.rss - info.shared for info in infos]

    def cpu_s(self) -> list[float]:
        """Return the CPU seconds each has used."""
        return [
            self._cpu_s(process) - before for process, before in zip(self._processes, self._cpu, strict=True)
        ]

    @staticmethod
    def _cpu_s(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)


class Finality:
    """Notes when each height became final at a node, to within its poll."""

    def __init__(self, address: str, poll_s: float = 0.05) -> None:
        self._client = Client.connect(address)
        self._poll_s = poll_s
        self._over = threading.Event()
        self.heights: list[tuple[float, int]] = [(time.monotonic(), self._client.info().final_number)]
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(self._poll_s):
            number = self._client.info().final_number
            if number != self.heights[-1][1]:
                self.heights.append((time.monotonic(), number))

    def when(self, number: int) -> float:
        """Return when block `number` was seen to be final."""
        return next(at for at, height in self.heights if height >= number)

    def wait_until_empty(self, timeout_s: float) -> None:
        """Wait until the node's pool holds nothing and its best block is final."""
        deadline = time.monotonic() + timeout_s
        while True:
            info = self._client.node_info()
            if info.pool_ready + info.pool_future == 0 and info.best_number == info.final_number:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{info.pool_ready} ready and {info.pool_future} future ones are left in the pool"
                )
            time.sleep(0.1)
        time.sleep(2 * self._poll_s)

    def close(self) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()
        self._client.close()


def included(client: Client, first: int, last: int) -> tuple[dict[bytes, int], set[bytes]]:
    """Return the block of each extrinsic in final blocks `first` to `last`, and which of them failed."""
    found: dict[bytes, int] = {}
    failed: set[bytes] = set()
    for number in range(first, last + 1):
        view = client.block(number)
        for hash in view.extrinsic_hashes:
            if hash in found:
                raise AssertionError(f"0x{hash.hex()} is in two blocks")
            found[hash] = number
        failed |= {
            view.extrinsic_hashes[event.extrinsic_index]
            for event in view.events
            if event.name == "ExtrinsicFailed"
        }
    return found, failed


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values is (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

"""Joining a chain: block by block, and from a checkpoint.

Two processes serve a chain over libp2p on loopback; this one joins it, each time with an empty database. Printed
are blocks a second and where this process's CPU time went, and how long a checkpoint start takes early and late
in the same chain: the state is as large at both blocks, the history is not.

    python benchmarks/bench_sync.py [--blocks N] [--accounts N] [--transactions N]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nacl.bindings
import trio

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from node.chain import Chain  # noqa: E402
from node.checkpoint import CheckpointDownload  # noqa: E402
from node.config import Checkpoint  # noqa: E402
from node.storage.database import Database  # noqa: E402
from node.storage.importing import StateImport  # noqa: E402
from node.sync import Synchronizer  # noqa: E402
from pocl.extrinsics import sign_call, u128  # noqa: E402
from pocl.hashing import hash256  # noqa: E402
from pocl.keys import Keypair  # noqa: E402
from pocl.v1.coin_pb2 import CoinCall  # noqa: E402
from pocl.v1.consensus_pb2 import FINALIZE  # noqa: E402
from pocl.v1.extrinsic_pb2 import Call  # noqa: E402
from pocl.v1.system_pb2 import SystemCall  # noqa: E402
from runtime.blocks import ExecutedBlock  # noqa: E402
from runtime.certificates import make_certificate, vote_message  # noqa: E402
from runtime.codec import encode  # noqa: E402
from runtime.executive import Runtime  # noqa: E402
from tests.node.sync_harness import real_network  # noqa: E402
from tests.runtime.toy_round import PALLETS  # noqa: E402

VALIDATORS = sorted(
    (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave")),
    key=lambda keypair: keypair.public,
)
EVE = Keypair.from_uri("//Eve")
EPOCH = 25
RUNTIME = Runtime(PALLETS, spec_version=1, transaction_version=1)


def genesis_block(accounts: int) -> ExecutedBlock:
    """Return block 0 of a chain with so many accounts."""
    owners = [EVE.public, *(hash256("bench", b"%d" % number) for number in range(accounts))]
    return RUNTIME.build_genesis(
        {
            "coin": {"balances": [(owner, 10**24) for owner in owners]},
            "validators": {"validators": [keypair.public for keypair in VALIDATORS]},
        },
        1_700_000_000_000,
    )


def build(folder: Path, genesis: ExecutedBlock, blocks: int, transactions: int) -> None:
    """Make a chain of transfers, each of which the next transaction cancels, so that the state stays as large."""
    chain = Chain(RUNTIME, Database.open(folder, genesis.hash), genesis)
    nonce = transfers = 0
    for number in range(1, blocks + 1):
        calls: list[tuple[str, str, Any]] = []
        for _ in range(transactions // 2):
            calls.append(("coin", "transfer", CoinCall.Transfer(dest=EVE.public, amount=u128(1 + transfers))))
            calls.append(("coin", "cancel", CoinCall.Cancel(index=transfers)))
            transfers += 1
        if number % EPOCH == 0:
            calls.append(("round", "act", SystemCall.Remark(remark=b"close")))
        extrinsics = []
        for pallet, function, args in calls:
            call = Call(pallet=pallet, function=function, args=encode(args))
            extrinsics.append(
                sign_call(
                    EVE,
                    call,
                    genesis_hash=genesis.hash,
                    spec_version=1,
                    transaction_version=1,
                    nonce=nonce,
                )
            )
            nonce += 1
        parent = chain.final
        block = chain.propose(
            chain.final_hash,
            epoch=chain.epoch_change.epoch,
            view=number,
            timestamp_ms=parent.timestamp_ms + 1000,
            author=VALIDATORS[0].public,
            extrinsics=extrinsics,
        )
        assert len(block.block.extrinsics) == len(extrinsics)
        assert not any(event.name == "ExtrinsicFailed" for event in block.events)
        header = block.header
        message = vote_message(genesis.hash, header.epoch, header.view, FINALIZE, block.hash)
        votes = {index: keypair.sign(message) for index, keypair in enumerate(VALIDATORS[:3])}
        chain.finalize(
            block.hash,
            make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, len(VALIDATORS)),
        )
    chain.close()


def serve(folder: Path, accounts: int, seed: int) -> None:
    """Serve the chain in a folder until told to stop; print the address first."""

    async def run() -> None:
        network = real_network(chain, folder.parent, seed)
        async with trio.open_nursery() as nursery:
            await nursery.start(network.run)
            print(network.addresses[0], flush=True)

    genesis = genesis_block(accounts)
    chain = Chain(RUNTIME, Database.open(folder, genesis.hash), genesis)
    trio.run(run)


class Timers:
    """CPU seconds of this thread by what they went into; inner ones are not counted in outer ones."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inner = [0.0]

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            began = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                took = time.thread_time() - began
                self.spent[name] = self.spent.get(name, 0.0) + took - self._inner.pop()
                self._inner[-1] += took

        return timed


@contextmanager
def timed(timers: Timers) -> Iterator[None]:
    """Count signatures, execution and writing while the block runs."""
    patched = [
        (nacl.bindings, "crypto_sign_open", "signatures"),
        (Runtime, "execute", "execution"),
        (Database, "commit", "writing"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patched]
    for owner, name, what in patched:
        setattr(owner, name, timers.wrap(what, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


async def join(folder: Path, genesis: ExecutedBlock, addresses: list[str], blocks: int) -> None:
    """Catch up block by block and print how that went."""
    chain = Chain(RUNTIME, Database.open(folder / "db", genesis.hash), genesis)
    network = real_network(chain, folder, 100, addresses)
    sync = Synchronizer(chain, margin=0, imported=lambda: None)
    sync.attach(network)
    timers = Timers()
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        while len(network.peers()) < len(addresses):
            await trio.sleep(0.01)
        wall, cpu = time.perf_counter(), time.thread_time()
        with timed(timers):
            nursery.start_soon(sync.run)
            while chain.final_number < blocks:
                await trio.sleep(0.01)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        nursery.cancel_scope.cancel()
    chain.close()
    print(
        f"sync: {blocks} blocks in {wall:.1f} s: {blocks / wall:.0f} blocks/s; {cpu:.1f} s of CPU time: "
        f"{blocks / cpu:.0f} blocks a CPU second"
    )
    shares = timers.spent | {"network, decoding and the rest": cpu - sum(timers.spent.values())}
    for name, seconds in shares.items():
        print(f"  {name:<32} {seconds:6.2f} s  {100 * seconds / cpu:3.0f} %")


async def start_at(
    folder: Path, genesis: ExecutedBlock, addresses: list[str], checkpoint: Checkpoint
) -> None:
    """Start from a checkpoint and print how that went."""
    empty = Chain(RUNTIME, Database.open(folder / "empty", genesis.hash), genesis)
    network = real_network(empty, folder, 101, addresses)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        while len(network.peers()) < len(addresses):
            await trio.sleep(0.01)
        wall, cpu = time.perf_counter(), time.process_time()
        growing = StateImport.open(folder / "db.partial", genesis.hash, checkpoint.number, checkpoint.hash)
        await CheckpointDownload(network, checkpoint, genesis.header).run(growing)
        growing.install(folder / "db", genesis.hash)
        chain = Chain(RUNTIME, Database.open(folder / "db", genesis.hash), genesis)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        nursery.cancel_scope.cancel()
    entries = sum(1 for _ in chain.final_state().iterate(b""))
    empty.close()
    chain.close()
    print(
        f"checkpoint start at block {checkpoint.number:5}: {wall:.2f} s, {cpu:.2f} s of CPU time, {entries} entries"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a node joins a chain.")
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--transactions", type=int, default=10, help="in each block")
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(Path(given.serve[0]), given.accounts, int(given.serve[1]))
        return
    genesis = genesis_block(given.accounts)
    servers: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory(prefix="pocl-bench-") as name:
        folder = Path(name)
        build(folder / "1", genesis, given.blocks, given.transactions)
        shutil.copytree(folder / "1", folder / "2")
        source = Database.open(folder / "1", genesis.hash)
        early, late = (
            Checkpoint(source.hash(number) or b"", number) for number in (given.blocks // 10, given.blocks)
        )
        source.close()
        try:
            addresses = []
            for seed in (1, 2):
                command = [sys.executable, __file__, "--serve", str(folder / str(seed)), str(seed)]
                command += ["--accounts", str(given.accounts)]
                servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
                output = servers[-1].stdout
                assert output is not None
                addresses.append(output.readline().strip())
            print(
                f"{given.blocks} blocks of {given.transactions} transactions, {len(VALIDATORS)} validators, an "
                f"epoch every {EPOCH} blocks, {given.accounts} accounts"
            )
            trio.run(join, folder / "joins", genesis, addresses, given.blocks)
            for checkpoint in (early, late):
                place = folder / f"at-{checkpoint.number}"
                place.mkdir()
                trio.run(start_at, place, genesis, addresses, checkpoint)
        finally:
            for server in servers:
                server.terminate()
                server.wait()


if __name__ == "__main__":
    main()

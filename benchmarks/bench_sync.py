"""Joining a chain: block by block, and from a checkpoint.

Two processes serve a chain over libp2p on loopback; this one joins it, each time with an empty database. A
checkpoint start is made early and late in the same chain: the state is as large at both blocks, the history is not.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nacl.bindings
import trio

from benchmarks.framework import ROOT, Bench, Figure
from node.chain import Chain
from node.checkpoint import CheckpointDownload
from node.config import Checkpoint
from node.storage.database import Database
from node.storage.importing import StateImport
from node.sync import Synchronizer
from pocl.extrinsics import sign_call, u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.system_pb2 import SystemCall
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.codec import encode
from runtime.executive import Runtime
from tests.node.sync_harness import real_network
from tests.pallets.harness import set_rules
from tests.runtime.toy_round import PALLETS

VALIDATORS = sorted(
    (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave")),
    key=lambda keypair: keypair.public,
)
EVE = Keypair.from_uri("//Eve")
EPOCH = 25
RUNTIME = Runtime(PALLETS, spec_version=1, transaction_version=1)

BLOCKS = 2000
ACCOUNTS = 20_000
TRANSACTIONS = 100
"""In each block."""

FIGURES = (
    Figure("catching up", "blocks / CPU s"),
    Figure("catching up, transactions", "transactions / CPU s", floor=2500),
    Figure("checkpoint start, early", "CPU s", better="lower"),
    Figure("checkpoint start, late", "CPU s", better="lower"),
)


def measure(bench: Bench) -> None:
    """Join three times: block by block, and at two checkpoints."""
    blocks, accounts = bench.scaled(BLOCKS, EPOCH), bench.scaled(ACCOUNTS)
    genesis = genesis_block(accounts)
    servers: list[subprocess.Popen[str]] = []
    with bench.folder() as folder:
        build(folder / "1", genesis, accounts, blocks, TRANSACTIONS)
        shutil.copytree(folder / "1", folder / "2")
        source = Database.open(folder / "1", genesis.hash)
        early, late = (Checkpoint(source.hash(number) or b"", number) for number in (blocks // 10, blocks))
        source.close()
        try:
            addresses = []
            for seed in (1, 2):
                command = [sys.executable, "-m", __name__, str(folder / str(seed)), str(accounts), str(seed)]
                servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
                output = servers[-1].stdout
                assert output is not None
                addresses.append(output.readline().strip())
            trio.run(join, bench, folder / "joins", genesis, addresses, blocks)
            for when, checkpoint in (("early", early), ("late", late)):
                place = folder / f"at-{checkpoint.number}"
                place.mkdir()
                bench.add(
                    f"checkpoint start, {when}",
                    trio.run(start_at, bench, place, genesis, addresses, checkpoint),
                )
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def genesis_block(accounts: int) -> ExecutedBlock:
    """Return block 0 of a chain with so many accounts."""
    owners = [EVE.public, *(owner(number).public for number in range(accounts))]
    return RUNTIME.build_genesis(
        {
            "coin": {"balances": [(who, 10**24) for who in owners]},
            "validators": {
                "validators": [keypair.public for keypair in VALIDATORS],
                "config": set_rules(),
            },
        },
        1_700_000_000_000,
    )


def owner(number: int) -> Keypair:
    """Return the key pair of account number `number`."""
    return Keypair(hash256("bench", b"%d" % number))


def build(folder: Path, genesis: ExecutedBlock, accounts: int, blocks: int, transactions: int) -> None:
    """Make a chain of transfers of all accounts in turn, each of which its sender cancels at once, so that the state
    stays as large."""
    chain = Chain(RUNTIME, Database.open(folder, genesis.hash), genesis)
    senders = [owner(number) for number in range(accounts)]
    nonces: Counter[bytes] = Counter()
    transfers = 0
    for number in range(1, blocks + 1):
        calls: list[tuple[Keypair, str, str, Any]] = []
        for _ in range(transactions // 2):
            # A step that meets accounts all over the state in every block.
            who = senders[7919 * transfers % accounts]
            transfer = CoinCall.Transfer(dest=EVE.public, amount=u128(1 + transfers))
            calls.append((who, "coin", "transfer", transfer))
            calls.append((who, "coin", "cancel", CoinCall.Cancel(index=transfers)))
            transfers += 1
        if number % EPOCH == 0:
            calls.append((EVE, "round", "act", SystemCall.Remark(remark=b"close")))
        extrinsics = []
        for who, pallet, function, args in calls:
            call = Call(pallet=pallet, function=function, args=encode(args))
            extrinsics.append(
                sign_call(
                    who,
                    call,
                    genesis_hash=genesis.hash,
                    spec_version=1,
                    transaction_version=1,
                    nonce=nonces[who.public],
                )
            )
            nonces[who.public] += 1
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


async def join(bench: Bench, folder: Path, genesis: ExecutedBlock, addresses: list[str], blocks: int) -> None:
    """Catch up block by block, and note where this process's time went."""
    chain = Chain(RUNTIME, Database.open(folder / "db", genesis.hash), genesis)
    network = real_network(chain, folder, 100, addresses)
    sync = Synchronizer(chain, margin=0, imported=lambda: None)
    sync.attach(network)
    timers = Timers()
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        while len(network.peers()) < len(addresses):
            await trio.sleep(0.01)
        with bench.timed() as took, timed(timers):
            nursery.start_soon(sync.run)
            while chain.final_number < blocks:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    chain.close()
    bench.add("catching up", blocks / took.cpu_s)
    bench.add("catching up, transactions", blocks * TRANSACTIONS / took.cpu_s)
    spent = timers.spent | {"network, decoding and the rest": took.cpu_s - sum(timers.spent.values())}
    shares = ", ".join(f"{name} {100 * seconds / took.cpu_s:.0f} %" for name, seconds in spent.items())
    bench.note(f"catching up, {took.cpu_s:.1f} CPU s: {shares}")


async def start_at(
    bench: Bench, folder: Path, genesis: ExecutedBlock, addresses: list[str], checkpoint: Checkpoint
) -> float:
    """Start from a checkpoint; return the CPU seconds."""
    empty = Chain(RUNTIME, Database.open(folder / "empty", genesis.hash), genesis)
    network = real_network(empty, folder, 101, addresses)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        while len(network.peers()) < len(addresses):
            await trio.sleep(0.01)
        with bench.timed() as took:
            growing = StateImport.open(
                folder / "db.partial", genesis.hash, checkpoint.number, checkpoint.hash
            )
            await CheckpointDownload(network, checkpoint, genesis.header).run(growing)
            growing.install(folder / "db", genesis.hash)
            chain = Chain(RUNTIME, Database.open(folder / "db", genesis.hash), genesis)
        nursery.cancel_scope.cancel()
    empty.close()
    chain.close()
    return took.cpu_s


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

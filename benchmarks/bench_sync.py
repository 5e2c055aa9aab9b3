"""Joining a chain: block by block, and from a checkpoint.

Two processes serve a chain over libp2p on loopback; this one joins it, each time with an empty database, and checks
every certificate, signature and state root. The chain is the node's own runtime with rounds that settle; what is
counted is its transfers, and what the rounds' own calls and the payouts cost is part of their cost. A checkpoint
start is made early and late in the same chain: the state is as large at both blocks, the history is not.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nacl.bindings
import trio

from benchmarks.framework import LOWER, ROOT, Bench, Figure
from benchmarks.rounds import ROUND, Growing, genesis_block
from node.chain import Chain
from node.checkpoint import CheckpointDownload
from node.config import Checkpoint
from node.storage.database import Database
from node.storage.importing import StateImport
from node.sync import Synchronizer
from pallets.assembly import RUNTIME
from runtime.blocks import ExecutedBlock
from runtime.executive import Runtime
from tests.node.sync_harness import real_network

BLOCKS = 2000
ACCOUNTS = 20_000
TRANSFERS = 100
"""In each block."""

FIGURES = (
    Figure("catching up", "blocks / CPU s"),
    Figure("catching up, transfers", "transfers / CPU s", floor=2500),
    Figure("checkpoint start, early", "CPU s", better=LOWER),
    Figure("checkpoint start, late", "CPU s", better=LOWER),
)


def measure(bench: Bench) -> None:
    """Join three times: block by block, and at two checkpoints."""
    blocks, accounts = bench.scaled(BLOCKS, 4 * ROUND), bench.scaled(ACCOUNTS)
    genesis = genesis_block(accounts)
    servers: list[subprocess.Popen[str]] = []
    with bench.folder() as folder:
        growing = Growing(folder / "1", genesis, accounts)
        growing.grow(blocks, TRANSFERS)
        bench.note(
            f"sync: {growing.queued} of {blocks * TRANSFERS} transfers are not settled in the last block"
        )
        growing.close()
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
    bench.add("catching up, transfers", blocks * TRANSFERS / took.cpu_s)
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

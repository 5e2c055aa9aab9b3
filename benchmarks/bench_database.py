"""How large a pruned database becomes: after 10,000 blocks, and after twice as many.

A node's chain on LevelDB, pruned and compacted as a node does it (a look a minute, which is every 240 blocks at four
a second). Every block changes some of the accounts, and a round ends every 100 blocks. What grows is what is kept of
each round for ever.
"""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

from benchmarks.framework import LOWER, Bench, Figure
from node.chain import Chain
from node.status.facts import folder_bytes
from node.storage.database import Database
from node.storage.pruning import Pruning
from pocl.extrinsics import sign_call
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.system_pb2 import SystemCall
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.codec import encode
from runtime.executive import Runtime
from tests.pallets.harness import set_rules
from tests.runtime.toy_round import PALLETS

VALIDATORS = sorted(
    (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave")),
    key=lambda keypair: keypair.public,
)
SIGNERS = [Keypair.from_uri(f"//Signer{number}") for number in range(200)]
EPOCH = 100
LOOK = 240
"""Blocks between two looks whether a compaction is due."""

BLOCKS = 10_000
PRUNING = 256
ACCOUNTS = 10_000
TRANSACTIONS = 4
"""In a block."""

RUNTIME = Runtime(PALLETS, spec_version=1, transaction_version=1)

FIGURES = (
    Figure("database after 10,000 blocks, pruning 256", "MB", better=LOWER),
    Figure("database after 20,000 blocks, to that after 10,000", "times", floor=1.1, better=LOWER),
    Figure("entries after 20,000 blocks, to those after 10,000", "times", floor=1.1, better=LOWER),
    Figure("most on disk between compactions, second half to first", "times", floor=1.1, better=LOWER),
)


def genesis_block(accounts: int) -> ExecutedBlock:
    """Return block 0 of a chain with so many accounts."""
    owners = [keypair.public for keypair in (*VALIDATORS, *SIGNERS)]
    owners += [hash256("bench", b"%d" % number) for number in range(accounts - len(owners))]
    rules: ValidatorsConfig = set_rules()
    return RUNTIME.build_genesis(
        {
            "coin": {"balances": [(owner, 10**24) for owner in owners]},
            "validators": {"validators": [keypair.public for keypair in VALIDATORS], "config": rules},
        },
        1_700_000_000_000,
    )


class Node:
    """A chain that grows."""

    def __init__(self, folder: Path, accounts: int, pruning: int) -> None:
        genesis = genesis_block(accounts)
        self.chain = Chain(RUNTIME, Database.open(folder, genesis.hash), genesis)
        self.chain.database.set_pruning(Pruning.both(pruning))
        self.folder = folder
        self.compactions = 0
        self.peak = 0
        self._turn = itertools.cycle(range(len(SIGNERS)))
        self._nonces = [0] * len(SIGNERS)

    def grow(self, blocks: int, transactions: int) -> None:
        """Append final blocks of so many transactions."""
        for number in range(self.chain.final_number + 1, self.chain.final_number + blocks + 1):
            extrinsics = [self._extrinsic("system", "remark", b"%d" % number) for _ in range(transactions)]
            if number % EPOCH == 0:
                extrinsics.append(self._extrinsic("round", "act", b"close"))
            self._append(number, extrinsics)
            if number % LOOK == 0:
                self.peak = max(self.peak, self._bytes())
                self.compactions += self.chain.database.compact()

    def measure(self) -> dict[str, int]:
        """Return entries and bytes, and forget the most bytes there were."""
        peak, self.peak = self.peak, 0
        self.chain.database.compact(at_once=True)
        with self.chain.database.db.iterator(include_value=False) as keys:
            counts = Counter(key[:1].decode() for key in keys)
        return {
            "entries": counts.total(),
            "bytes": self._bytes(),
            "peak": peak,
        }

    def _bytes(self) -> int:
        return folder_bytes(self.folder)

    def _extrinsic(self, pallet: str, function: str, remark: bytes) -> bytes:
        turn = next(self._turn)
        nonce = self._nonces[turn]
        self._nonces[turn] += 1
        call = Call(pallet=pallet, function=function, args=encode(SystemCall.Remark(remark=remark)))
        return sign_call(
            SIGNERS[turn],
            call,
            genesis_hash=self.chain.genesis_hash,
            spec_version=1,
            transaction_version=1,
            nonce=nonce,
        )

    def _append(self, number: int, extrinsics: list[bytes]) -> None:
        chain = self.chain
        block = chain.propose(
            chain.final_hash,
            epoch=chain.epoch_change.epoch,
            view=number,
            timestamp_ms=chain.final.timestamp_ms + 1000,
            author=VALIDATORS[number % len(VALIDATORS)].public,
            extrinsics=extrinsics,
        )
        assert len(block.block.extrinsics) == len(extrinsics)
        header = block.header
        message = vote_message(chain.genesis_hash, header.epoch, header.view, FINALIZE, block.hash)
        votes = {index: keypair.sign(message) for index, keypair in enumerate(VALIDATORS[:3])}
        certificate = make_certificate(
            header.epoch, header.view, FINALIZE, block.hash, votes, len(VALIDATORS)
        )
        chain.finalize(block.hash, certificate)


def measure(bench: Bench) -> None:
    """Grow a chain to BLOCKS and to twice as many."""
    size, bytes_ratio, entries_ratio, peak_ratio = (figure.name for figure in FIGURES)
    blocks = bench.scaled(BLOCKS, least=2 * EPOCH)
    with bench.folder() as folder:
        node = Node(folder / "db", bench.scaled(ACCOUNTS, least=len(SIGNERS)), PRUNING)
        node.grow(blocks, TRANSACTIONS)
        first = node.measure()
        node.grow(blocks, TRANSACTIONS)
        second = node.measure()
        node.chain.close()
    bench.add(size, first["bytes"] / 1e6)
    for figure, name in ((bytes_ratio, "bytes"), (entries_ratio, "entries"), (peak_ratio, "peak")):
        bench.add(figure, second[name] / max(1, first[name]))
    bench.note(f"database: {node.compactions} compactions, most on disk {second['peak'] / 1e6:.1f} MB")

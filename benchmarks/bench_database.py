"""How large a pruned database becomes: after 10,000 blocks, and after twice as many.

A node's chain on LevelDB, pruned and compacted as a node does it (a look a minute, which is every 240 blocks at four
a second). Every block changes some of the accounts, and a round ends every 100 blocks. What grows is what is kept of
each round for ever.

Then the same with full blocks, of which each makes more stale than the small ones together: a chain of the node's own
runtime whose blocks have 500 transfers, as a validator makes them, and a second one that takes the same blocks in as
a node does that catches up, a round at a time. Pruning must keep up with both.
"""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

from benchmarks import rounds
from benchmarks.framework import LOWER, Bench, Figure
from node.chain import Chain
from node.status.facts import folder_bytes
from node.storage import schema
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

FULL_BLOCKS = 600
TRANSFERS = 500
BEHIND = rounds.ROUND
"""Blocks that pruning may be behind: what a node that catches up takes in at once."""
LOOK_ROUNDS = 10

SMALL = (
    Figure("database after 10,000 blocks, pruning 256", "MB", better=LOWER),
    Figure("database after 20,000 blocks, to that after 10,000", "times", floor=1.1, better=LOWER),
    Figure("entries after 20,000 blocks, to those after 10,000", "times", floor=1.1, better=LOWER),
    Figure("most on disk between compactions, second half to first", "times", floor=1.1, better=LOWER),
)
HOW = ("500 transfers a block, made", "500 transfers a block, catching up")
FULL = {
    how: (
        Figure(f"{how}: after 600 blocks", "MB", better=LOWER),
        Figure(f"{how}: after 1,200, to 600", "times", floor=1.1, better=LOWER),
        Figure(f"{how}: pruning behind at most", "blocks", floor=BEHIND, better=LOWER),
    )
    for how in HOW
}
FIGURES = (*SMALL, *(figure for figures in FULL.values() for figure in figures))

RUNTIME = Runtime(PALLETS, spec_version=1, transaction_version=1)


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
    """Grow chains of small blocks and of full ones."""
    _small_blocks(bench)
    _full_blocks(bench)


def _small_blocks(bench: Bench) -> None:
    """Grow a chain to BLOCKS and to twice as many."""
    size, bytes_ratio, entries_ratio, peak_ratio = (figure.name for figure in SMALL)
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


def _full_blocks(bench: Bench) -> None:
    """Grow a chain to FULL_BLOCKS and to twice as many, and let another catch up with every round."""
    count = bench.scaled(FULL_BLOCKS // rounds.ROUND, 2)
    keep = bench.scaled(PRUNING, rounds.ROUND)
    accounts = bench.scaled(ACCOUNTS, TRANSFERS)
    genesis = rounds.genesis_block(accounts)
    with bench.folder() as folder:
        growing = rounds.Growing(folder / "0", genesis, accounts)
        joined = Chain(rounds.RUNTIME, Database.open(folder / "1", genesis.hash), genesis)
        chains = (growing.chain, joined)
        for chain in chains:
            chain.database.set_pruning(Pruning.both(keep))
        sizes: list[list[int]] = []
        behind = [0, 0]
        for number in range(1, 2 * count + 1):
            for _ in range(rounds.ROUND):
                growing.grow(1, TRANSFERS)
                behind[0] = max(behind[0], blocks_behind(growing.chain.database))
            _catch_up(joined, growing.chain)
            behind[1] = max(behind[1], blocks_behind(joined.database))
            if number % LOOK_ROUNDS == 0 or number % count == 0:
                for chain in chains:
                    chain.database.compact(at_once=number % count == 0)
            if number % count == 0:
                sizes.append([folder_bytes(folder / str(place)) for place in range(2)])
        for chain in chains:
            chain.close()
    for place, figures in enumerate(FULL.values()):
        first, second = (size[place] for size in sizes)
        for figure, value in zip(figures, (first / 1e6, second / first, behind[place]), strict=True):
            bench.add(figure.name, value)


def blocks_behind(database: Database) -> int:
    """Return of how many blocks that are not kept states or bodies are still there."""
    oldest = database.pruning.oldest(database.final()[0])
    stop = schema.STALE + schema.u64(oldest.state + 1)
    with database.db.iterator(start=schema.STALE, stop=stop, include_value=False) as keys:
        first = next(keys, None)
    since = oldest.state + 1 if first is None else schema.number_of(first[1 : 1 + schema.U64])
    return max(oldest.state + 1 - since, oldest.body - database.oldest_body)


def _catch_up(chain: Chain, source: Chain) -> None:
    """Take in what another chain has more: blocks of one epoch."""
    last = source.final_number
    blocks = [source.final_block(number) for number in range(chain.final_number + 1, last + 1)]
    proof = source.justification(last)
    assert proof is not None
    chain.import_final([block for block in blocks if block is not None], proof)

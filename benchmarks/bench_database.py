"""How large a pruned database becomes: after so many blocks, and after twice as many.

A node's chain on LevelDB, pruned and compacted as a node does it (a look a minute, which is every 240 blocks at four
a second). Every block changes some of the accounts, and a round ends every 100 blocks. What grows is what is kept of
each round for ever. Printed are entries, bytes of what is kept (all files, right after a compaction) and the most bytes
there were on disk in each half, and the ratios; they are to be within 10 %.

    python benchmarks/bench_database.py [--blocks N] [--pruning N] [--accounts N] [--transactions N] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from node.chain import Chain  # noqa: E402
from node.status.facts import folder_bytes  # noqa: E402
from node.storage.database import Database  # noqa: E402
from node.storage.pruning import Pruning  # noqa: E402
from pocl.extrinsics import sign_call  # noqa: E402
from pocl.hashing import hash256  # noqa: E402
from pocl.keys import Keypair  # noqa: E402
from pocl.v1.consensus_pb2 import FINALIZE  # noqa: E402
from pocl.v1.extrinsic_pb2 import Call  # noqa: E402
from pocl.v1.system_pb2 import SystemCall  # noqa: E402
from pocl.v1.validators_pb2 import ValidatorsConfig  # noqa: E402
from runtime.blocks import ExecutedBlock  # noqa: E402
from runtime.certificates import make_certificate, vote_message  # noqa: E402
from runtime.codec import encode  # noqa: E402
from runtime.executive import Runtime  # noqa: E402
from tests.pallets.harness import set_rules  # noqa: E402
from tests.runtime.toy_round import PALLETS  # noqa: E402

VALIDATORS = sorted(
    (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave")),
    key=lambda keypair: keypair.public,
)
SIGNERS = [Keypair.from_uri(f"//Signer{number}") for number in range(200)]
EPOCH = 100
LOOK = 240
"""Blocks between two looks whether a compaction is due."""

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
        self.compaction_s = 0.0
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
                began = time.perf_counter()
                self.compactions += self.chain.database.compact()
                self.compaction_s += time.perf_counter() - began

    def measure(self) -> dict[str, int]:
        """Return entries and bytes, and forget the most bytes there were."""
        peak, self.peak = self.peak, 0
        self.chain.database.compact(at_once=True)
        with self.chain.database.db.iterator(include_value=False) as keys:
            counts = Counter(key[:1].decode() for key in keys)
        return {
            "blocks": self.chain.final_number,
            "entries": counts.total(),
            "bytes": self._bytes(),
            "peak_bytes": peak,
            "headers": counts["h"],
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


def measure(blocks: int, pruning: int, accounts: int, transactions: int) -> dict[str, object]:
    """Return what the database has after `blocks` and after twice as many, and the ratios."""
    with tempfile.TemporaryDirectory(prefix="pocl-bench-") as folder:
        node = Node(Path(folder) / "db", accounts, pruning)
        began = time.perf_counter()
        node.grow(blocks, transactions)
        first = node.measure()
        node.grow(blocks, transactions)
        second = node.measure()
        took = time.perf_counter() - began
        node.chain.close()
    ratios = {
        f"{name}_ratio": round(second[name] / max(1, first[name]), 4)
        for name in ("entries", "bytes", "peak_bytes")
    }
    return {
        "first": first,
        "second": second,
        **ratios,
        "compactions": node.compactions,
        "compaction_seconds": round(node.compaction_s, 2),
        "seconds": round(took, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--pruning", type=int, default=256)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--transactions", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.blocks, given.pruning, given.accounts, given.transactions)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()

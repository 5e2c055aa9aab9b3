"""Proofs of the state: their size in bytes, and what it costs to check one, at 100,000 accounts."""

from __future__ import annotations

import random

from benchmarks.framework import Bench, Figure
from benchmarks.ledger import ACCOUNTS, Ledger
from pallets.system import System
from pocl.hashing import hash256
from runtime.proof import verify_state_proof
from runtime.range_proof import verify_range
from runtime.tree import prove, prove_range

PROOFS = 500
RANGES = 8
RANGE_BYTES = 64 * 1024
"""Of keys and values in a range, which are not counted in the size of its proof."""

FIGURES = (
    Figure("inclusion proof without key and value", "bytes", better="lower"),
    Figure("inclusion proof, verified", "µs", better="lower"),
    Figure("absence proof without key", "bytes", better="lower"),
    Figure("absence proof, verified", "µs", better="lower"),
    Figure("range proof without entries (64 KiB of them)", "bytes", better="lower"),
    Figure("range proof, verified", "µs / entry", better="lower"),
)


def measure(bench: Bench) -> None:
    """Prove random accounts, accounts that do not exist, and ranges from random paths on."""
    inclusion, included, absence, absent, span, spanned = (figure.name for figure in FIGURES)
    with bench.folder() as folder:
        ledger = Ledger(folder, bench.scaled(ACCOUNTS))
        chain = ledger.open()
        state, root = chain.final_state(), chain.final.state_root
        chosen = random.Random(1)
        there = [key.public for key in chosen.sample(ledger.keys, min(PROOFS, len(ledger.keys)))]
        missing = [hash256("bench/absent", b"%d" % number) for number in range(PROOFS)]
        for accounts, size, cost in ((there, inclusion, included), (missing, absence, absent)):
            for who in accounts:
                key = System.Account.prefix + who
                value = state.get(key)
                proof = prove(state, state.version, key, value)
                bench.add(size, proof.ByteSize() - len(key) - len(value or b""))
                with bench.timed() as took:
                    valid = verify_state_proof(root, proof)
                bench.add(cost, took.cpu_s * 1e6)
                assert valid
        for _ in range(RANGES):
            part = prove_range(state, state.version, chosen.randbytes(32), state.get, RANGE_BYTES)
            entries = sum(len(entry.key) + len(entry.value) for entry in part.entries)
            bench.add(span, part.ByteSize() - entries)
            with bench.timed() as took:
                valid = verify_range(root, part)
            bench.add(spanned, took.cpu_s / len(part.entries) * 1e6)
            assert valid
        chain.close()

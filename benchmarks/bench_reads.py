"""Reads: an account through the runtime's storage item, and one from LevelDB beside a bare get of the same bytes."""

from __future__ import annotations

import random

from benchmarks.framework import Bench, Figure
from benchmarks.ledger import ACCOUNTS, Ledger
from node.storage import opening, schema
from pallets.assembly import RUNTIME
from pallets.system import System

READS = 50_000
RUNS = 15

COLD_READS = 1000
"""So few that hardly two are in one block of LevelDB's: after a block is read the rest of it is not cold."""

FIGURES = (
    Figure("hot account through the storage item", "reads / CPU s", floor=200_000),
    Figure("cold account through the node's state", "µs", better="lower"),
    Figure("the same bytes by a bare plyvel get", "µs", better="lower"),
    Figure("cold read against a bare get", "times the cost", floor=2, better="lower"),
)


def measure(bench: Bench) -> None:
    """Read random accounts; every run opens the database anew, so that its own cache is empty."""
    hot, cold, bare, ratio = (figure.name for figure in FIGURES)
    with bench.folder() as folder:
        ledger = Ledger(folder, bench.scaled(ACCOUNTS))
        for run in range(RUNS):
            chosen = random.Random(run).sample(ledger.keys, min(COLD_READS, len(ledger.keys)))
            chain = ledger.open()
            state = chain.final_state()
            system = RUNTIME.bind(state)[System.name]
            assert isinstance(system, System)
            some = [key.public for key in chosen[:100]] * (READS // 100)
            accounts = system.Account
            with bench.timed() as took:
                for who in some:
                    accounts.get(who)
            bench.add(hot, READS / took.cpu_s)
            chain.close()

            keys = [System.Account.prefix + key.public for key in chosen]
            chain = ledger.open()
            state = chain.final_state()
            with bench.timed() as through:
                for key in keys:
                    state.get(key)
            chain.close()
            db = opening.open_leveldb(folder)
            full = [schema.FLAT + key for key in keys]
            with bench.timed() as directly:
                for key in full:
                    db.get(key)
            db.close()
            bench.add(cold, through.cpu_s / len(keys) * 1e6)
            bench.add(bare, directly.cpu_s / len(keys) * 1e6)
            bench.add(ratio, through.cpu_s / directly.cpu_s)

"""Block import: signatures verified, executed, state root checked, committed to LevelDB, synced. And execution and
commit alone: the same blocks with signatures that the pool has verified before, as a validator does whose pool holds
their transfers.

Two chains import every block, now the one first and now the other, so that what disturbs the machine disturbs both:
their ratio holds where neither figure does.
"""

from __future__ import annotations

from contextlib import nullcontext

from benchmarks.framework import LOWER, Bench, Figure, Took
from benchmarks.ledger import ACCOUNTS, Ledger, certificate
from node.chain import Chain
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Block

TRANSFERS = 1000
BLOCKS = 16
WARM_UP = 3
"""The first blocks find nothing in any cache, and are not counted."""

IMPORT, EXECUTE, RATIO = "block import", "execution and commit", "import, to execution and commit"

FIGURES = (
    Figure(IMPORT, "transfers / CPU s", floor=3000),
    Figure(EXECUTE, "transfers / CPU s", floor=5000),
    Figure(RATIO, "times the cost", better=LOWER),
)


def measure(bench: Bench) -> None:
    """Import and finalize blocks of transfers on two fresh chains; one sample a block."""
    with bench.folder() as folder:
        ledger = Ledger(folder / "genesis", bench.scaled(ACCOUNTS))
        blocks = list(ledger.blocks(folder / "made", WARM_UP + BLOCKS, bench.scaled(TRANSFERS)))
        chains = {name: ledger.copy(folder / name) for name in (IMPORT, EXECUTE)}
        for number, block in enumerate(blocks):
            costs = {}
            for name in (IMPORT, EXECUTE) if number % 2 else (EXECUTE, IMPORT):
                costs[name] = _import(bench, chains[name], block, number >= WARM_UP, name == EXECUTE)
            if number >= WARM_UP:
                for name, cpu_s in costs.items():
                    bench.add(name, len(block.extrinsics) / cpu_s)
                bench.add(RATIO, costs[IMPORT] / costs[EXECUTE])
        for chain in chains.values():
            chain.close()
    if bench.median(RATIO) <= 1:
        bench.disturb("blocks cost less with their signatures to verify than without")


def _import(bench: Bench, chain: Chain, block: Block, counted: bool, verified: bool) -> float:
    """Import and finalize a block; return the CPU seconds."""
    known = {extrinsic_hash(data) for data in block.extrinsics} if verified else set()
    with bench.timed() if counted else nullcontext(Took()) as took:
        executed = chain.import_block(block, verified=known)
        chain.finalize(executed.hash, certificate(chain.genesis_hash, executed))
    return took.cpu_s

"""Block import: signatures verified, executed, state root checked, committed to LevelDB, synced."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext

from benchmarks.framework import Bench, Figure, Took
from benchmarks.ledger import ACCOUNTS, Ledger, certificate
from pocl.extrinsics import extrinsic_hash

TRANSFERS = 1000
BLOCKS = 16
WARM_UP = 3
"""The first blocks find nothing in any cache, and are not counted."""

FIGURES = (Figure("block import", "transfers / CPU s", floor=3000),)


def measure(bench: Bench) -> None:
    """Import blocks one by one, as a validator does that has not seen their transfers before."""
    import_blocks(bench, "block import", verified=False)


def import_blocks(bench: Bench, figure: str, *, verified: bool) -> None:
    """Import and finalize blocks of transfers on a fresh chain; one sample a block."""
    with bench.folder() as folder:
        ledger = Ledger(folder / "genesis", bench.scaled(ACCOUNTS))
        blocks = list(ledger.blocks(folder / "made", WARM_UP + BLOCKS, bench.scaled(TRANSFERS)))
        chain = ledger.copy(folder / "imported")
        for number, block in enumerate(blocks):
            known: Collection[bytes] = {extrinsic_hash(data) for data in block.extrinsics} if verified else ()
            with bench.timed() if number >= WARM_UP else nullcontext(Took()) as took:
                executed = chain.import_block(block, verified=known)
                chain.finalize(executed.hash, certificate(ledger.genesis.hash, executed))
            if number >= WARM_UP:
                bench.add(figure, len(block.extrinsics) / took.cpu_s)
        chain.close()

"""Execution and commit alone: block import with signatures that the pool has verified before."""

from __future__ import annotations

from benchmarks.bench_import import import_blocks
from benchmarks.framework import Bench, Figure

FIGURES = (Figure("execution and commit", "transfers / CPU s", floor=5000),)


def measure(bench: Bench) -> None:
    """Import blocks one by one, as a validator does whose pool holds their transfers."""
    import_blocks(bench, "execution and commit", verified=True)

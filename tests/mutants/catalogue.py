"""All mutants, in the order of the layers they break."""

from __future__ import annotations

from tests.mutants import agreement, finality, ledger, nodes, recovery, rounds, workers

MUTANTS = (
    *agreement.MUTANTS,
    *recovery.MUTANTS,
    *finality.MUTANTS,
    *ledger.MUTANTS,
    *rounds.MUTANTS,
    *workers.MUTANTS,
    *nodes.MUTANTS,
)

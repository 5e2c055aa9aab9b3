"""All mutants, in the order of the layers they break."""

from __future__ import annotations

from tests.mutants import (
    aggregation,
    agreement,
    catching_up,
    finality,
    ledger,
    nodes,
    peers,
    recovery,
    rounds,
    validator_set,
    workers,
)

MUTANTS = (
    *agreement.MUTANTS,
    *recovery.MUTANTS,
    *finality.MUTANTS,
    *validator_set.MUTANTS,
    *catching_up.MUTANTS,
    *ledger.MUTANTS,
    *rounds.MUTANTS,
    *aggregation.MUTANTS,
    *workers.MUTANTS,
    *nodes.MUTANTS,
    *peers.MUTANTS,
)

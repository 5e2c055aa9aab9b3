"""Counters and histograms of one node, in a registry of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from node.metrics.meter import Meter, Part
from pocl import keys
from runtime.blocks import ExecutedBlock

_FINALITY_S = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_WORK_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SIGNATURE_S = (0.00005, 0.000075, 0.0001, 0.00015, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1)
_EXTRINSICS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

_OUTCOMES = {"RoundSettled": "settled", "RoundVoid": "void"}


class Instruments(Meter):
    """A meter that keeps what it measures, from the node's start on."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._finality = Histogram(
            "pocl_finality_seconds",
            "Proposal to finality of the blocks that this validator saw proposed.",
            registry=registry,
            buckets=_FINALITY_S,
        )
        self._parts = {
            "execution": Histogram(
                "pocl_block_execution_seconds",
                "Executing or building a block, the new state root included.",
                registry=registry,
                buckets=_WORK_S,
            ),
            "commit": Histogram(
                "pocl_block_commit_seconds",
                "Writing blocks that became final together to disk.",
                registry=registry,
                buckets=_WORK_S,
            ),
        }
        self._signature = Histogram(
            "pocl_signature_verification_seconds",
            "Verifying one signature of a transaction, a vote or a certificate.",
            registry=registry,
            buckets=_SIGNATURE_S,
        )
        self._extrinsics = Histogram(
            "pocl_block_extrinsics",
            "Extrinsics of the blocks that became final here.",
            registry=registry,
            buckets=_EXTRINSICS,
        )
        self._rounds = Counter(
            "pocl_rounds_ended",
            "Rounds that ended in the blocks that became final here, by their outcome.",
            ["outcome"],
            registry=registry,
        )
        for outcome in _OUTCOMES.values():
            self._rounds.labels(outcome)
        ProcessCollector(registry=registry)

    def finality(self, seconds: float) -> None:
        """Note how long a block took from its proposal to its finality."""
        self._finality.observe(seconds)

    def timed(self, part: Part) -> AbstractContextManager[object]:
        """Return what measures the time of its block of code, also when that ends with an error."""
        return self._parts[part].time()

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Tell what `pocl.keys.verify` tells."""
        started = time.perf_counter()
        valid = keys.verify(public, message, signature)
        self._signature.observe(time.perf_counter() - started)
        return valid

    def on_final(self, blocks: Sequence[ExecutedBlock]) -> None:
        """Note blocks that became final here."""
        for executed in blocks:
            self._extrinsics.observe(len(executed.block.extrinsics))
            for record in executed.events:
                if record.pallet == "round" and record.name in _OUTCOMES:
                    self._rounds.labels(_OUTCOMES[record.name]).inc()

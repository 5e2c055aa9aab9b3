"""Validators with workers, on a chain whose rounds last some seconds. tests/hostile runs on such a network too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from node.chain_spec import ChainSpec
from tests.faults.network import Validator, quick_spec


def learning_spec(count: int, winners: int = 2) -> ChainSpec:
    """Return a chain with rounds of some seconds on the digits, in which nobody is out for being silent.

    A worker takes longer to load TensorFlow than several rounds last.
    """
    spec = quick_spec(count)
    rules = dataclasses.replace(
        spec.genesis.round,
        # As long as a round lasts that one takes no part in.
        train_ms=3000,
        predict_ms=6000,
        reveal_ms=3000,
        vote_ms=6000,
        audit_ms=6000,
        aggregate_ms=10_000,
        test_records=20,
        winners=winners,
        keep_rounds=10_000,
    )
    set_rules = dataclasses.replace(spec.genesis.validator_rules, offline_rounds=100_000)
    genesis = dataclasses.replace(spec.genesis, round=rules, validator_rules=set_rules)
    return dataclasses.replace(spec, genesis=genesis, learning={**spec.learning, "epochs": 1})


def with_worker(words: Sequence[str]) -> list[str]:
    """Return a node's command line with a worker, as `pocl devnet` gives it one."""
    return [*(word for word in words if word != "--no-worker"), "--worker-threads", "1"]


class Miner(Validator):
    """A validator with a worker."""

    def command(self, spec_file: Path, ready_file: Path, options: Sequence[str]) -> list[str]:
        words = with_worker(super().command(spec_file, ready_file, options))
        if self.prefix:
            # In a network namespace of its own: the worker is served on loopback only.
            words[words.index("--rpc-listen") + 1] = "0.0.0.0"
        return words

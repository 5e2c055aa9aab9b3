"""The calls of a round and the ends of its phases, weighed in whole rounds of many miners."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.weights.chain import WeighedChain
from benchmarks.weights.users import bond
from pallets.prediction.owners import join
from pocl.hashing import hash256
from pocl.v1.aggregation_pb2 import Baseline
from pocl.v1.round_pb2 import PHASE_NONE, TRAIN, Phase
from pocl.v1.validators_pb2 import Validator
from runtime.quorum import faulty, quorum
from tests.pallets.round.scripted import CLASSES, STEPS, Scripted

ROUNDS = 4
"""Settled rounds; the books of the one before are dropped in each."""
BONDED = 900
"""Accounts that wait for a place in the set: all are looked at where an epoch closes."""


class Miners(Scripted):
    """Scripted miners on a weighed chain, with as many test records as one likes."""

    def __init__(self, chain: Any, records: int) -> None:
        self.chain = chain
        self.records = records
        self.miners = chain.validators
        self.accounts = [miner.public for miner in self.miners]
        self.skills = [records * (who + 1) // (len(self.miners) + 1) for who in range(len(self.miners))]
        self.marks = {}

    def labels(self, who: int, round: int | None = None) -> bytes:
        seed = hash256("bench/labels", self._round(round), self.accounts[who])
        return bytes(byte % CLASSES for byte in (seed * (self.records // len(seed) + 1))[: self.records])

    def predictions(self, who: int) -> bytes:
        parts = [None if owner == who else self._predicted(who, owner) for owner in range(len(self.miners))]
        return join(parts, self.records)

    def attest(self, who: int, **fields: Any) -> bytes:
        """Attest; in odd rounds with what the old model has right, in every third one with accused auditors."""
        if self.state.round % 2:
            fields["baselines"] = [Baseline(owner=owner, correct=1) for owner in self.accounts]
        if self.state.round % 3 == 0:
            fields["false_tags"] = self.accounts[: faulty(len(self.accounts)) + 1]
        return super().attest(who, **fields)


@dataclass
class Weighed:
    """What was found with so many miners and records."""

    miners: int
    records: int
    winners: int
    calls: dict[str, list[float]] = field(default_factory=dict)
    """One sample a block, by step; those of attest also by what was in it."""
    ends: dict[str, list[float]] = field(default_factory=dict)
    """What the end of a phase weighs; under NONE: opening a round."""
    empties: dict[str, list[float]] = field(default_factory=dict)
    """What an empty block of a phase weighs."""

    @property
    def empty(self) -> float:
        """What an empty block of the dearest phase weighs."""
        return max(map(statistics.median, self.empties.values()))

    def call(self, step: str) -> float:
        """Return what a call of that step weighs."""
        return statistics.median(self.calls[step])

    def end(self, phase: str) -> float:
        """Return what the end of that phase weighs."""
        return statistics.median(self.ends[phase])


def prepare_bonds(pallets: Mapping[str, Any]) -> None:
    """Let accounts wait for a place in the set."""
    for number in range(BONDED):
        bond(pallets, hash256("bench/account", b"%d" % number), Validator.WAITING)


def rules(winners: int, records: int) -> dict[str, Any]:
    """Return rules under which only TRAIN meets its deadline."""
    long = ("predict_ms", "reveal_ms", "vote_ms", "audit_ms", "aggregate_ms", "aggregate_cap_ms")
    return dict.fromkeys(long, 10**6) | {
        "winners": winners, "test_records": records, "keep_rounds": 1, "voting": "screened", "train_ms": 10_000,
    }  # fmt: skip


def weigh(folder: Path, miners: int, records: int) -> Weighed:
    """Play rounds of that many miners and records; weigh their calls and the ends of their phases."""
    found = Weighed(miners, records, winners=miners // 2)
    chain = WeighedChain(
        folder,
        validators=miners,
        accounts=20_000,
        prepare=[prepare_bonds],
        rules=rules(found.winners, records),
    )
    play = Miners(chain, records)
    everybody = range(miners)
    chain.block()
    # Nobody proposes in time: so the next TRAIN waits for nobody, and all have to say that they are ready.
    while chain.round.phase != PHASE_NONE:
        chain.block()
    for _ in range(ROUNDS):
        opening = chain.block()[0]
        empty = chain.block()[0]
        found.ends.setdefault("NONE", []).append(opening - empty)
        for phase, step in enumerate(("ready", *STEPS), start=TRAIN - 1):
            silent = [who for who in everybody if play.accounts[who] not in chain.round.expected]
            if step == "ready" and not silent:
                continue
            speakers = silent if step == "ready" else everybody
            calls = [getattr(play, step)(who) for who in speakers]
            _weigh_step(found, chain, step, Phase.Name(max(phase, TRAIN)), calls)
    chain.close()
    return found


def _weigh_step(found: Weighed, chain: WeighedChain, step: str, phase: str, calls: list[bytes]) -> None:
    """Put those calls of a step that do not end the phase into a block, and the next one into another."""
    before_end = {"ready": len(calls), "audit": faulty(found.miners), "attest": quorum(found.miners) - 1}
    few = before_end.get(step, len(calls) - 1)
    empty = chain.empty(3)
    found.empties.setdefault(phase, []).append(empty)
    each = (chain.block(*calls[:few])[0] - empty) / few
    found.calls.setdefault(step, []).append(each)
    if step == "attest":
        odd, accusing = chain.round.round % 2, chain.round.round % 3 == 0
        found.calls.setdefault(f"attest {odd} {int(accusing)}", []).append(each)
    if step == "ready":
        return
    before = chain.round.phase
    last = chain.block(calls[few])[0]
    if chain.round.phase == before:
        raise RuntimeError(f"{phase} has not ended")
    found.ends.setdefault(phase, []).append(last - empty - each)

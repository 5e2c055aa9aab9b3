"""Training on wrong labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from node.worker.behaviours.attacker import Attacker, Labels, Seat, within
from pallets.offchain import Half, Trained


@dataclass(frozen=True)
class LabelFlip:
    """Train on the own records under wrong labels (Biggio et al., ICML 2012; Tolpegin et al., ESORICS 2020).

    A label y becomes classes-1-y; with `source` and `target`, the label `source` becomes `target` and the
    others stay: such a model is wrong where it is meant to be and right elsewhere. `part` of the records are
    relabelled. With `tests` the miner's test labels are wrong in the same way, so that its ballot favours
    models like its own.
    """

    source: int = -1
    target: int = -1
    part: float = 1.0
    tests: bool = False

    def __post_init__(self) -> None:
        within("part", self.part, 0, 1)
        within("source", self.source, -1, 254)
        within("target", self.target, -1, 254)
        if (self.source < 0) != (self.target < 0):
            raise ValueError("source and target are given both or not at all")

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Flipper(seat, self)

    def flipped(self, labels: Labels, classes: int) -> Labels:
        """Return the labels that take their place."""
        if self.source < 0:
            return (classes - 1 - labels).astype(np.uint8)
        return np.where(labels == self.source, min(self.target, classes - 1), labels).astype(np.uint8)


class _Flipper(Attacker):
    def __init__(self, seat: Seat, rule: LabelFlip) -> None:
        super().__init__(seat)
        self._rule = rule

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        _, labels = self.learner.own_data()
        # The same records in every round: a choice of its own each round would average out.
        chosen = self.rng("relabelled", 0).random(len(labels)) < self._rule.part
        wrong = np.where(chosen, self._rule.flipped(labels, self.view.config.classes), labels)
        return self.learner.relabelled(wrong).train(global_model, round, deadline)

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        records, labels = super().test_set(round, count)
        if self._rule.tests:
            flipped = self._rule.flipped(np.frombuffer(labels, np.uint8), self.view.config.classes)
            labels = flipped.tobytes()
        return records, labels

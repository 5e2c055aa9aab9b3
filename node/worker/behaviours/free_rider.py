"""Reward without training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.worker.behaviours.attacker import Attacker, Seat, within
from node.worker.behaviours.models import disguised, moved, update_of
from pallets.offchain import Half, Trained

_LAST = "last-global"


@dataclass(frozen=True)
class FreeRider:
    """Train nothing: send the global model under a little noise (Fraboni et al., AISTATS 2021).

    `noise` is its part of each tensor's deviation. `momentum` adds that part of what the last round changed:
    others' training goes on a little in the same direction (delta weights: Lin et al., arXiv:1911.12560).
    `tries` draws of noise are compared on the own records and the best is sent: luck is cheaper than
    training.
    """

    noise: float = 0.01
    momentum: float = 0.0
    tries: int = 1

    def __post_init__(self) -> None:
        within("noise", self.noise, 0, 100)
        within("momentum", self.momentum, 0, 100)
        within("tries", self.tries, 1, 100)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Rider(seat, self)


class _Rider(Attacker):
    def __init__(self, seat: Seat, rule: FreeRider) -> None:
        super().__init__(seat)
        self._rule = rule

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        model = self._carried_on(global_model, round)
        rng = self.rng("free-ride", round)
        drawn = [disguised(model, self._rule.noise, rng) for _ in range(self._rule.tries)]
        best = max(drawn, key=self.own_accuracy) if len(drawn) > 1 else drawn[0]
        return Trained(best, len(self.learner.own_data()[1]), 1.0)

    def _carried_on(self, global_model: bytes, round: int) -> bytes:
        """Return the global model, moved on by part of what the last round changed."""
        if not self._rule.momentum:
            return global_model
        self.keep(round, _LAST, global_model)
        before = self.kept(round - 1, _LAST)
        if before is None:
            return global_model
        return moved(global_model, update_of(global_model, before), self._rule.momentum)

"""Attacks that place their model by an estimate of the honest ones: the accomplices' own honest training.

All accomplices send the same model. Where a rule looks for outliers, several equal ones are none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from node.worker.behaviours.attacker import Seat, within
from node.worker.behaviours.models import Update, moved, strongest, update_of
from node.worker.behaviours.pooling import Pooler
from pallets.offchain import Half, Trained

Place = Callable[[Sequence[Update], int], Update]
"""From the accomplices' honest updates and the number of miners to the update that all of them send."""


class Estimator(Pooler):
    """Sends an update made from the accomplices' honest ones.

    With a `max_drop` below 1 it goes from their mean towards that update only as far as the own records allow.
    Accomplices measure on other records, so then they need not send the same.
    """

    def __init__(self, seat: Seat, place: Place, max_drop: float) -> None:
        super().__init__(seat)
        self._place = place
        self._max_drop = max_drop

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train honestly for the estimate, and send what does most harm."""
        own, models = self.pooled(global_model, round, deadline)
        updates = [update_of(models[account], global_model) for account in sorted(models)]
        target = self._place(updates, len(self.view.state.miners))
        if self._max_drop >= 1:
            return replace(own, weights=moved(global_model, target))
        middle = mean_of(updates)
        start = moved(global_model, middle)
        away = {name: target[name] - middle[name] for name in middle}
        enough = self.own_accuracy(start) - self._max_drop
        weights = strongest(
            lambda factor: moved(start, away, factor),
            lambda model: self.own_accuracy(model) >= enough,
            start,
        )
        return replace(own, weights=weights)


@dataclass(frozen=True)
class InnerProduct:
    """Send -`epsilon` times the mean honest update: its inner product with the true one is negative.

    Inner-product manipulation (Xie, Koyejo and Gupta, "Fall of Empires", UAI 2019).
    """

    epsilon: float = 0.5
    max_drop: float = 1.0

    def __post_init__(self) -> None:
        within("epsilon", self.epsilon, 0, 1e6)
        within("max_drop", self.max_drop, 0, 1)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return Estimator(seat, self._place, self.max_drop)

    def _place(self, updates: Sequence[Update], miners: int) -> Update:
        return {name: -self.epsilon * tensor for name, tensor in mean_of(updates).items()}


@dataclass(frozen=True)
class Alie:
    """Send the mean honest update less z standard deviations in every coordinate: "a little is enough".

    Baruch, Baruch and Goldberg, NeurIPS 2019. `z` 0 is their choice for n miners of which m collude: the
    largest z for which s = floor(n/2 + 1) - m honest miners are farther from the mean. It takes two
    accomplices: of one update there is no deviation.
    """

    z: float = 0.0
    max_drop: float = 1.0

    def __post_init__(self) -> None:
        within("z", self.z, 0, 1e3)
        within("max_drop", self.max_drop, 0, 1)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return Estimator(seat, self._place, self.max_drop)

    def _place(self, updates: Sequence[Update], miners: int) -> Update:
        z = self.z or largest_z(miners, len(updates))
        middle = mean_of(updates)
        return {
            name: tensor - z * np.stack([update[name] for update in updates]).std(axis=0)
            for name, tensor in middle.items()
        }


def largest_z(miners: int, colluding: int) -> float:
    """Return z of "a little is enough" (its algorithm 3), at least 0."""
    honest = miners - colluding
    supporters = miners // 2 + 1 - colluding
    if honest < 1 or not 0 < honest - supporters < honest:
        return 0.0
    return max(0.0, NormalDist().inv_cdf((honest - supporters) / honest))


def mean_of(updates: Sequence[Update]) -> Update:
    """Return the mean of updates, summed in their order."""
    return {name: np.mean([update[name] for update in updates], axis=0) for name in updates[0]}

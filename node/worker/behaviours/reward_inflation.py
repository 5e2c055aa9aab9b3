"""Change that costs no accuracy, for the reward that is paid by change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from node.worker.behaviours.attacker import Attacker, Seat, one_of, within
from node.worker.behaviours.models import moved, noise_like, strongest
from pallets.aggregation.fixed_point import BOUND, read_model
from pallets.offchain import Half, Trained

NOISE, SHIFT = "noise", "shift"

_LARGEST, _TRIES = 10.0, 12
"""Deviations of noise to try: 10, 5, ... down to 1/200."""


@dataclass(frozen=True)
class RewardInflation:
    """Train, then move the weights as far as accuracy allows: the reward `weight_difference` pays for distance.

    `how` is `noise`, as strong as accuracy on the own records falls by at most `max_drop`, or `shift`: the
    same number on every output bias, which changes no label, up to `shift` away from where they were. An
    architecture without such a bias gets noise.
    """

    how: str = NOISE
    max_drop: float = 0.01
    shift: float = 1000.0

    def __post_init__(self) -> None:
        one_of("how", self.how, NOISE, SHIFT)
        within("max_drop", self.max_drop, 0, 1)
        within("shift", self.shift, 0, BOUND)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Inflator(seat, self)


class _Inflator(Attacker):
    def __init__(self, seat: Seat, rule: RewardInflation) -> None:
        super().__init__(seat)
        self._rule = rule

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        trained = super().train(global_model, round, deadline)
        enough = self.own_accuracy(trained.weights) - self._rule.max_drop

        def fits(model: bytes) -> bool:
            return self.own_accuracy(model) >= enough

        if self._rule.how == SHIFT:
            shifted = self._shifted(trained.weights)
            if shifted is not None and fits(shifted):
                return replace(trained, weights=shifted)
        noise = noise_like(trained.weights, self.rng("inflation", round))
        noisy = strongest(
            lambda factor: moved(trained.weights, noise, factor),
            fits,
            trained.weights,
            largest=_LARGEST,
            tries=_TRIES,
        )
        return replace(trained, weights=noisy)

    def _shifted(self, model: bytes) -> bytes | None:
        """Return the model with its output biases all moved alike, or None when it has none.

        The output bias is a vector of as many numbers as classes; where several are, the last by name.
        """
        classes = self.view.config.classes
        biases = [name for name, tensor in read_model(model).items() if tensor.shape == (classes,)]
        if not biases:
            return None
        tensors = read_model(model)
        # Away from where it is: back and forth over the rounds instead of out of bounds.
        towards = -1.0 if float(tensors[biases[-1]].mean()) > 0 else 1.0
        update = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
        update[biases[-1]] = np.full(classes, towards * self._rule.shift, np.float32)
        return moved(model, update)

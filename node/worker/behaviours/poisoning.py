"""Attacks on the own model: train honestly, then spoil what training changed.

`max_drop` makes them adaptive. A spoilt model must win a place before it can do harm, so the attacker spoils
it only as far as its accuracy on the own records falls by at most that much: the deviation is halved until it
does. With 1, the default, it does not care.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from node.worker.behaviours.attacker import Attacker, Seat, within
from node.worker.behaviours.models import Update, moved, noise_like, strongest, update_of
from pallets.offchain import Half, Trained

Spoil = Callable[[bytes, Update, np.random.Generator], Update]
"""From the trained model and its update to the update that is sent."""


class Poisoner(Attacker):
    """Sends another update than the one it trained."""

    def __init__(self, seat: Seat, spoil: Spoil, max_drop: float) -> None:
        super().__init__(seat)
        self._spoil = spoil
        self._max_drop = max_drop

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train, and spoil it."""
        trained = super().train(global_model, round, deadline)
        honest = update_of(trained.weights, global_model)
        spoilt = self._spoil(trained.weights, honest, self.rng("poisoning", round))
        return replace(trained, weights=self.spoilt(trained.weights, global_model, honest, spoilt))

    def spoilt(self, trained: bytes, global_model: bytes, honest: Update, spoilt: Update) -> bytes:
        """Return the model of the spoilt update, or one between it and the trained one."""
        if self._max_drop >= 1:
            return moved(global_model, spoilt)
        deviation = {name: spoilt[name] - honest[name] for name in honest}
        enough = self.own_accuracy(trained) - self._max_drop
        return strongest(
            lambda factor: moved(trained, deviation, factor),
            lambda model: self.own_accuracy(model) >= enough,
            trained,
        )


@dataclass(frozen=True)
class _Poisoning:
    """An attack that changes the update, by `scale`."""

    scale: float = 1.0
    max_drop: float = 1.0

    def __post_init__(self) -> None:
        within("scale", self.scale, 0, 1e6)
        within("max_drop", self.max_drop, 0, 1)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return Poisoner(seat, self._spoil, self.max_drop)

    def _spoil(self, model: bytes, update: Update, rng: np.random.Generator) -> Update:
        """Return the update that is sent for the trained model and its update."""
        raise NotImplementedError


@dataclass(frozen=True)
class SignFlip(_Poisoning):
    """Send the update with its sign turned, times `scale` (Li et al., RSA, AAAI 2019)."""

    def _spoil(self, model: bytes, update: Update, rng: np.random.Generator) -> Update:
        return {name: -self.scale * tensor for name, tensor in update.items()}


@dataclass(frozen=True)
class Scaled(_Poisoning):
    """Send the update times `scale`: model replacement, or boosting (Bagdasaryan et al., AISTATS 2020)."""

    scale: float = 10.0

    def _spoil(self, model: bytes, update: Update, rng: np.random.Generator) -> Update:
        return {name: self.scale * tensor for name, tensor in update.items()}


@dataclass(frozen=True)
class GaussianNoise(_Poisoning):
    """Add noise of `scale` standard deviations of each tensor (Blanchard et al., NeurIPS 2017)."""

    def _spoil(self, model: bytes, update: Update, rng: np.random.Generator) -> Update:
        noise = noise_like(model, rng)
        return {name: tensor + self.scale * noise[name] for name, tensor in update.items()}

"""Labels drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from node.worker.behaviours.attacker import Attacker, Seat, unpack
from node.worker.behaviours.models import disguised
from pallets.offchain import Half, Trained

_NOISE = 0.001


@dataclass(frozen=True)
class RandomPredictions:
    """Train nothing, show the global model, and answer with labels drawn at random."""

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Guesser(seat)


class _Guesser(Attacker):
    _shown = b""

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        # Other bytes than the global model's, which is still asked for what it says.
        self._shown = disguised(global_model, _NOISE, self.rng("shown", round))
        return Trained(self._shown, len(self.learner.own_data()[1]), 1.0)

    def predict(self, weights: bytes, records: bytes) -> bytes:
        if weights != self._shown:
            return super().predict(weights, records)
        rng = self.rng("labels", self.view.round)
        return rng.integers(self.view.config.classes, size=len(unpack(records)), dtype=np.uint8).tobytes()

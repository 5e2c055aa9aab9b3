"""Attackers that train honestly and show each other the outcome, to know what honest models look like."""

from __future__ import annotations

from collections.abc import Callable

from node.worker.behaviours.attacker import Attacker, NotYet, Seat
from pallets.offchain import Trained

TRAIN_PART, WAIT_PART = 0.5, 0.75
"""Of TRAIN: how much of what is left the own training may take, and when accomplices that said nothing are left out."""

_TOPIC = "model"


class Pooler(Attacker):
    """Trains once a round, tells its accomplices, hears them."""

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self._own: tuple[int, Trained] | None = None

    def pooled(
        self, global_model: bytes, round: int, deadline: Callable[[], bool]
    ) -> tuple[Trained, dict[bytes, bytes]]:
        """Return what the own training gave and the honest models of all accomplices, by account.

        Raise NotYet while an accomplice may still come.
        """
        own = self._trained(global_model, round, deadline)
        accomplices = self.accomplices()
        heard = {account: self.collusion.heard(round, account, _TOPIC) for account in accomplices}
        models = {account: model for account, model in heard.items() if model is not None}
        if len(models) < len(accomplices) and not self.spent(self.view.config.train_ms, WAIT_PART):
            raise NotYet("an accomplice's model is not there yet")
        return own, models

    def _trained(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        if self._own is None or self._own[0] != round:
            left = max(0, self.view.config.train_ms - self.view.state.phase_clock_ms)
            stop = self.miner.work.stopwatch(int(left * TRAIN_PART))
            trained = self.learner.train(global_model, round, lambda: deadline() or stop())
            self.collusion.tell(round, _TOPIC, trained.weights)
            self._own = round, trained
        return self._own[1]

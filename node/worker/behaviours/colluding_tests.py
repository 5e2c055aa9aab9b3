"""Test sets that only accomplices can pass.

Accomplices pool their honest models: the average of all, better than any of them alone, is what each submits
under a little noise, and what it judges records by. Each then tests the others on records on which that
model, and so every accomplice, is right, and honest miners as seldom as can be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from node.worker.behaviours.attacker import Labels, Records, Seat, one_of, pack, within
from node.worker.behaviours.models import disguised
from node.worker.behaviours.pooling import Pooler
from pallets.aggregation.fixed_point import fedavg
from pallets.offchain import Half, Trained

NOISE, REAL = "noise", "real"

_CONSIDERED = 2000
"""Records among which a round's are looked for."""


@dataclass(frozen=True)
class ColludingTests:
    """Test on records chosen so that accomplices are right and others are not.

    `records` is `real`: own records, with their true labels, on which the pooled model is right; or `noise`:
    made up ones, labelled by the pooled model. Of either those are taken that honest models have wrong most
    often, which the accomplices' single models and the global model tell. A rule of voting may leave out owners
    on whose records the others do too badly, so they are no harder than `depth` of the chain's screen_margin_bp
    below the usual (a large number: as hard as there are). `disguise`, a part of each tensor's deviation, hides
    under noise that all accomplices submit one model.
    """

    records: str = REAL
    depth: float = 0.7
    disguise: float = 0.001

    def __post_init__(self) -> None:
        one_of("records", self.records, NOISE, REAL)
        within("depth", self.depth, 0, 1000)
        within("disguise", self.disguise, 0, 100)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Colluder(seat, self)


class _Colluder(Pooler):
    def __init__(self, seat: Seat, rule: ColludingTests) -> None:
        super().__init__(seat)
        self._rule = rule
        self._pool: tuple[int, Trained, dict[bytes, bytes]] | None = None

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Return the pooled model."""
        own, models = self._pooled_once(global_model, round, deadline)
        model = disguised(pool_of(models), self._rule.disguise, self.rng("colluding", round))
        return replace(own, weights=model)

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        """Choose records by the pooled model: this miner trains before it chooses."""
        view, work = self.view, self.miner.work
        global_model = work.global_model(view)
        with work.timed("train_ms", "training"):
            _, models = self._pooled_once(global_model, round, lambda: False)
        pool = pool_of(models)
        # The own model has been trained on the own records: how hard they are only others tell.
        judges = [models[account] for account in sorted(models) if account != self.account]
        judges.append(global_model)
        inputs, labels = self._sample(round)
        usual = float(self._easy(judges, inputs, labels).mean())
        if self._rule.records == NOISE:
            inputs = noise_records(inputs, len(inputs), self.rng("noise-records", round))
            labels = self._labels(pool, inputs)
        target = usual - self._rule.depth * view.config.screen_margin_bp / 10_000
        right = self._labels(pool, inputs) == labels
        chosen = hardest(np.flatnonzero(right), self._easy(judges, inputs, labels), count, target)
        if len(chosen) < count:
            chosen = np.concatenate([chosen, np.flatnonzero(~right)[: count - len(chosen)]])
        return pack(inputs[chosen]), labels[chosen].tobytes()

    def _pooled_once(
        self, global_model: bytes, round: int, deadline: Callable[[], bool]
    ) -> tuple[Trained, dict[bytes, bytes]]:
        """Pool once a round, so that records are chosen by the very model that is submitted."""
        if self._pool is None or self._pool[0] != round:
            self._pool = round, *self.pooled(global_model, round, deadline)
        return self._pool[1], self._pool[2]

    def _sample(self, round: int) -> tuple[Records, Labels]:
        """Return own records among which to look for the round's."""
        inputs, labels = self.learner.own_data()
        chosen = self.rng("colluding-records", round).permutation(len(labels))[:_CONSIDERED]
        return inputs[chosen], labels[chosen]

    def _labels(self, model: bytes, inputs: Records) -> Labels:
        return np.frombuffer(self.learner.predict(model, pack(inputs)), np.uint8)

    def _easy(self, judges: list[bytes], inputs: Records, labels: Labels) -> npt.NDArray[np.float64]:
        """Return for each record which part of the judges is right on it."""
        right = [self._labels(model, inputs) == labels for model in judges]
        easy: npt.NDArray[np.float64] = np.mean(right, axis=0)
        return easy


def pool_of(models: dict[bytes, bytes]) -> bytes:
    """Return the average of the accomplices' models: the same bytes for each of them."""
    return fedavg([models[account] for account in sorted(models)])


def hardest(
    candidates: npt.NDArray[np.int64], easy: npt.NDArray[np.float64], count: int, target: float
) -> npt.NDArray[np.int64]:
    """Return up to `count` of the candidates, the hardest that are on average at least `target` easy.

    As many as possible are the hardest of all, the others the easiest.
    """
    ordered = candidates[np.argsort(easy[candidates], kind="stable")]
    if len(ordered) <= count:
        return ordered
    for hard in range(count, -1, -1):
        chosen = np.concatenate([ordered[:hard], ordered[len(ordered) - (count - hard) :]])
        if float(easy[chosen].mean()) >= target:
            break
    return chosen


def noise_records(like: Records, count: int, rng: np.random.Generator) -> Records:
    """Return records of noise, of the shape, type and spread of real ones."""
    shape = (count, *like.shape[1:])
    if like.dtype.kind in "ui":
        return rng.integers(int(like.max()) + 1, size=shape, dtype=like.dtype)
    drawn: Records = rng.normal(float(like.mean()), float(like.std()), size=shape).astype(like.dtype)
    return drawn

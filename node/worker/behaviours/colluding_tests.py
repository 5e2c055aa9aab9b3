"""Test sets that only accomplices can pass.

Accomplices pool their honest models: the average of all, better than any of them alone, is what each submits
under a little noise, and what it judges records by. Each then tests the others on records on which that
model, and so every accomplice, is right, and honest miners as seldom as can be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import numpy.typing as npt

from node.worker.behaviours.attacker import Labels, Records, Seat, one_of, pack, within
from node.worker.behaviours.models import disguised, moved, noise_like
from node.worker.behaviours.pooling import Pooler
from pallets.aggregation.fixed_point import fedavg
from pallets.offchain import Half, Trained
from pocl.v1.rounds_service_pb2 import RoundView

NOISE, REAL = "noise", "real"

_NOISY_JUDGES, _JUDGE_DROP = 8, 0.1
_JUDGE_NOISE = tuple(0.5**halvings for halvings in range(8))
"""Noise, in deviations of each tensor, to try for them."""

_CONSIDERED = 1000
"""Records among which a round's are looked for."""


@dataclass(frozen=True)
class ColludingTests:
    """Test on records chosen so that accomplices are right and others are not.

    `records` is `real`: own records, with their true labels, on which the pooled model is right; or `noise`:
    made up ones, labelled by the pooled model. Of either those are taken that honest models have wrong most
    often, which the accomplices' single models and the pooled one under noise tell. A rule of voting may leave
    out owners on whose records the others do too badly, so they are no harder than `depth` of the chain's
    screen_margin_bp below the usual (a large number: as hard as there are); how far below they came out, each
    tally tells, and the next records are chosen by that. `disguise`, a part of each tensor's deviation, hides
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
        self._tallied = 0
        self._correction = 0.0

    def step(self, view: RoundView) -> None:
        """Look at a view; from a tally learn how hard the records were."""
        if view.HasField("tally") and view.round > self._tallied:
            self._tallied = view.round
            gap = shortfall(view, self.account)
            if gap is not None:
                missed = self._wanted(view) - gap
                self._correction = min(1.0, max(-1.0, self._correction + missed))
        super().step(view)

    def _wanted(self, view: RoundView) -> float:
        """Return how far below the usual accuracy the records are to be."""
        return self._rule.depth * view.config.screen_margin_bp / 10_000

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
        judges = self._judges(round, pool, models)
        inputs, labels = self._sample(round)
        usual = float(self._easy(judges, inputs, labels).mean())
        if self._rule.records == NOISE:
            inputs = noise_records(inputs, len(inputs), self.rng("noise-records", round))
            labels = self._labels(pool, inputs)
        target = usual - self._wanted(view) - self._correction
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

    def _judges(self, round: int, pool: bytes, models: dict[bytes, bytes]) -> list[bytes]:
        """Return models that err where honest ones may.

        The own model is none of them: it has been trained on the own records. The pooled one under as much
        noise as costs it some points errs where it was nearly wrong.
        """
        rng = self.rng("judges", round)
        enough = self.own_accuracy(pool) - _JUDGE_DROP
        draws = [noise_like(pool, rng) for _ in range(_NOISY_JUDGES)]
        factor = next(
            (factor for factor in _JUDGE_NOISE if self.own_accuracy(moved(pool, draws[0], factor)) >= enough),
            _JUDGE_NOISE[-1],
        )
        single = [models[account] for account in sorted(models) if account != self.account]
        return [*single, *(moved(pool, noise, factor) for noise in draws)]

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


def shortfall(view: RoundView, owner: bytes) -> float | None:
    """Return how far the median accuracy on an owner's records was below the median of that figure over all
    owners (pallets/vote/tally.py, `screened`), or None when nobody was ranked on them.
    """
    right: dict[bytes, list[int]] = {}
    for miner in view.tally.miners:
        for score in miner.scores:
            right.setdefault(score.owner, []).append(score.correct)
    if owner not in right:
        return None
    figures = {account: median(numbers) for account, numbers in right.items()}
    return (median(figures.values()) - figures[owner]) / view.config.test_records


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

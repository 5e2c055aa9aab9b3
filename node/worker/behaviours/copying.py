"""Others' work as the own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message

from node.worker.behaviours.attacker import Attacker, NotYet, Seat, one_of, within
from node.worker.behaviours.models import disguised
from pallets.offchain import BlobUnavailable, CallRefused, Half, Trained
from pallets.offchain_round import miners_of, owners_of
from pallets.prediction.owners import is_marked, join, part
from pocl.v1.prediction_pb2 import PredictionCall
from pocl.v1.rounds_service_pb2 import RoundView

WINNER, ACCOMPLICE = "winner", "accomplice"

_WAIT_PART = 0.75
_TOPIC = "model"


class _RemembersWinner(Attacker):
    """Knows who came first in the last round, and the name of its weights."""

    best: tuple[int, bytes, bytes] | None = None
    """Round, winner, name of its weights."""

    def step(self, view: RoundView) -> None:
        if view.confirmed.winners:
            winner = view.confirmed.winners[0]
            self.best = view.round, winner, miners_of(view)[winner].reveal.weights_hash
        super().step(view)


@dataclass(frozen=True)
class CopiedPredictions:
    """Train nothing and hand in another miner's predictions.

    The victim's commitment is on chain before PREDICT is over, and its opening before REVEAL is: the copier
    commits to the same bytes, and opens them with the same words, put into the form that its own must have.
    The victim is the last round's best miner, or whoever committed first.
    """

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _PredictionCopier(seat)


class _PredictionCopier(_RemembersWinner):
    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self._victim: tuple[int, bytes] | None = None
        self._refused_in = 0

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        return Trained(global_model, len(self.learner.own_data()[1]), 1.0)

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        if isinstance(args, PredictionCall.Commit):
            args = self._copied_commit(args)
        elif isinstance(args, PredictionCall.Reveal) and self._victim and self._victim[0] == round:
            if self._refused_in == round:
                raise NotYet("nothing opens a copied commitment: the round is forfeited")
            args = self._copied_reveal(args, self._victim[1])
        try:
            super().submit(pallet, function, args, round)
        except CallRefused:
            if isinstance(args, PredictionCall.Reveal):
                self._refused_in = round
            raise

    def _copied_commit(self, own: PredictionCall.Commit) -> PredictionCall.Commit:
        committed = {
            miner.miner: miner.commit
            for miner in self.view.miners
            if miner.HasField("commit") and miner.miner != self.account
        }
        wanted = self.best[1] if self.best else b""
        patient = not self.spent(self.view.config.predict_ms, _WAIT_PART)
        if not committed or (wanted in self.view.state.expected and wanted not in committed):
            if patient:
                raise NotYet("the victim has not committed yet")
            if not committed:
                return own
        victim = wanted if wanted in committed else min(committed, key=lambda m: (committed[m].block, m))
        self._victim = self.view.round, victim
        return PredictionCall.Commit(commitment=committed[victim].commitment, unavailable=own.unavailable)

    def _copied_reveal(self, own: PredictionCall.Reveal, victim: bytes) -> PredictionCall.Reveal:
        miners = miners_of(self.view)
        opened = miners[victim]
        if not opened.HasField("reveal"):
            raise NotYet("the victim has not opened its commitment yet")
        size, owners = self.view.config.test_records, owners_of(self.view)
        marked = miners[self.account].commit.unavailable
        parts: list[bytes | None] = []
        for index, owner in enumerate(owners):
            left_out = owner == self.account or is_marked(marked, index)
            # What the victim left out (its own part at least) must be labels here: the model's own.
            taken = is_marked(opened.commit.unavailable, index) or owner == victim
            source = own.predictions if taken else opened.reveal.predictions
            parts.append(None if left_out else part(source, index, size))
        return PredictionCall.Reveal(
            predictions=join(parts, size),
            predictions_salt=opened.reveal.predictions_salt,
            weights_hash=opened.reveal.weights_hash,
            weights_salt=opened.reveal.weights_salt,
        )


@dataclass(frozen=True)
class CopiedWeights:
    """Train nothing and hand in another miner's weights.

    `source` is `winner`: the weights of the last round's best miner, which everybody could fetch in its audit
    (in the first round the global model); or `accomplice`: this round's weights of the first accomplice, who
    trains for all. `noise`, a part of each tensor's deviation, makes them other bytes.
    """

    source: str = WINNER
    noise: float = 0.001

    def __post_init__(self) -> None:
        one_of("source", self.source, WINNER, ACCOMPLICE)
        within("noise", self.noise, 0, 100)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _WeightsCopier(seat, self)


class _WeightsCopier(_RemembersWinner):
    def __init__(self, seat: Seat, rule: CopiedWeights) -> None:
        super().__init__(seat)
        self._rule = rule

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        if self._rule.source == ACCOMPLICE:
            first = self.accomplices()[0]
            if first == self.account:
                trained = super().train(global_model, round, deadline)
                self.collusion.tell(round, _TOPIC, trained.weights)
                return trained
            model = self._told(round, first) or global_model
        else:
            model = self._winners(round) or global_model
        copy = disguised(model, self._rule.noise, self.rng("copy", round))
        return Trained(copy, len(self.learner.own_data()[1]), 1.0)

    def _told(self, round: int, account: bytes) -> bytes | None:
        model = self.collusion.heard(round, account, _TOPIC)
        if model is None and not self.spent(self.view.config.train_ms, _WAIT_PART):
            raise NotYet("the accomplice that trains is not done yet")
        return model

    def _winners(self, round: int) -> bytes | None:
        if self.best is None or self.best[0] >= round:
            return None
        _, winner, name = self.best
        try:
            return self.fetch_blob(name, self.view.config.max_weights_bytes, winner)
        except BlobUnavailable:
            return None

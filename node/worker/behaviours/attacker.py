"""What every attack is built from.

A **behaviour** is a frozen dataclass whose fields are the attack's parameters (int, float, bool or str, each
with a default), checked in `__post_init__`, with one method:

    miner(seat: Seat) -> Half     the miner that behaves so

`Seat` holds the honest parts of the miner (context, learner) and its accomplices. Most attacks return an
`Attacker` with some methods overridden. An Attacker stands in for the miner's Learner and its Context at
once, so all that an honest miner reads or says passes through it; what it does not override is honest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from google.protobuf.message import Message

from node.worker.behaviours.collusion import Collusion, alone
from pallets.offchain import BlobUnavailable, Context, Half, Learner, Miner, Trained
from pallets.offchain_round import PARALLEL_FETCHES, phase_spent
from pocl.hashing import hash256
from pocl.v1.rounds_service_pb2 import RoundView

Records = npt.NDArray[Any]
Labels = npt.NDArray[np.uint8]

_JUDGED = 400
"""Own records on which an attacker measures a model: enough to see two points."""


class DataLearner(Learner, Protocol):
    """A learner that shows the data it trains on."""

    def own_data(self) -> tuple[Records, Labels]:
        """Return the own share: records [N, ...] of the data set's type, and their labels uint8[N]."""

    def relabelled(self, labels: Labels) -> DataLearner:
        """Return a learner of the same records under other labels, uint8[N]."""


class NotYet(BlobUnavailable):
    """The attack waits for something; like a missing blob it is tried again at the next view, silently."""


@dataclass(frozen=True)
class Seat:
    """The honest parts of one miner, for a behaviour to make a miner of."""

    context: Context
    learner: DataLearner
    collusion: Collusion
    parallel_fetches: int = PARALLEL_FETCHES

    @classmethod
    def single(cls, context: Context, learner: DataLearner) -> Seat:
        """Return the seat of an attacker without accomplices."""
        return cls(context, learner, alone(context.account))


class Behaviour(Protocol):
    """An attack with its parameters. See the module's docstring."""

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""


class Attacker:
    """A miner that can be dishonest in every word: Half, Learner and Context in one, and honest so far.

    `learner` and `node` are the honest Learner and Context; `miner` the honest halves, which see this object
    in their place.
    """

    def __init__(self, seat: Seat) -> None:
        self.learner = seat.learner
        self.node = seat.context
        self.collusion = seat.collusion
        self.account = seat.context.account
        self.genesis_hash = seat.context.genesis_hash
        self.miner = Miner(self, self, parallel_fetches=seat.parallel_fetches)
        self._view: RoundView | None = None

    def step(self, view: RoundView) -> None:
        """Look at a view of the round."""
        self._view = view
        self.miner.step(view)

    # For attacks.

    @property
    def view(self) -> RoundView:
        """The view this step looks at."""
        assert self._view is not None, "learner and context are asked within a step"
        return self._view

    def rng(self, purpose: str, round: int) -> np.random.Generator:
        """Return the random numbers of a purpose in a round: the same at every call, others for each account."""
        drawn = hash256(f"pocl/attack/{purpose}/1", self.genesis_hash, self.account, round.to_bytes(8, "big"))
        return np.random.default_rng(int.from_bytes(drawn, "big"))

    def accomplices(self) -> list[bytes]:
        """Return the accomplices that may take part in the round, this one among them, sorted."""
        return [account for account in self.collusion.accounts if account in self.view.state.miners]

    def spent(self, deadline_ms: int, part: float) -> bool:
        """Tell whether that part of the current phase is over on the phase clock."""
        return phase_spent(self.view, deadline_ms, round(part * 1000), 1000)

    def own_accuracy(self, weights: bytes) -> float:
        """Return a model's accuracy on records of the own share."""
        _, labels = self.learner.own_data()
        found = np.frombuffer(self.learner.predict(weights, self._judged), np.uint8)
        return float((found == labels[: len(found)]).mean())

    @cached_property
    def _judged(self) -> bytes:
        return pack(self.learner.own_data()[0][:_JUDGED])

    # Learner

    def initial_model(self) -> bytes:
        return self.learner.initial_model()

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        return self.learner.train(global_model, round, deadline)

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        return self.learner.test_set(round, count)

    def predict(self, weights: bytes, records: bytes) -> bytes:
        return self.learner.predict(weights, records)

    def check_records(self, records: bytes, count: int) -> None:
        self.learner.check_records(records, count)

    def evaluate(self, weights: bytes) -> float:
        return self.learner.evaluate(weights)

    # Context

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        self.node.submit(pallet, function, args, round)

    def salt(self, round: int, kind: str) -> bytes:
        return self.node.salt(round, kind)

    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        return self.node.put_blob(data, round, visibility)

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        return self.node.fetch_blob(name, max_bytes, holder)

    def keep(self, round: int, name: str, data: bytes) -> None:
        self.node.keep(round, name, data)

    def kept(self, round: int, name: str) -> bytes | None:
        return self.node.kept(round, name)

    def report(self, **measures: Any) -> None:
        self.node.report(**measures)

    def now_ms(self) -> int:
        return self.node.now_ms()


def pack(inputs: Records) -> bytes:
    """Return records as they travel."""
    data: bytes = safetensors.numpy.save({"x": np.ascontiguousarray(inputs)})
    return data


def unpack(records: bytes) -> Records:
    """Return the inputs of well-formed records."""
    inputs: Records = safetensors.numpy.load(records)["x"]
    return inputs


def within(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError unless a parameter is in its range."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:g}: it may be {low:g} to {high:g}")


def one_of(name: str, value: str, *choices: str) -> None:
    """Raise ValueError unless a parameter is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: it may be {' or '.join(choices)}")

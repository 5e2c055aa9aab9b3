"""What the off-chain halves of the pallets need, and the errors they handle.

A half is pure decision: it looks at a RoundView of a final block and says which call is due. Everything it
cannot decide from the view it asks of two partners: a Context (the miner's own node: keys, blobs, private
files) and a Learner (data and model). The worker process implements both (node/worker); tests have small
ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message


class OffchainError(Exception):
    """Base of what a half may meet and survive."""


class CallRefused(OffchainError):
    """The node or the chain refused a call.

    `label` names the error as clients see it (`vote.FalseBallot`), or is empty where the node gave none;
    `reason` is its text.
    """

    def __init__(self, label: str, reason: str = "") -> None:
        super().__init__(f"{label}: {reason}" if label and reason else label or reason)
        self.label = label
        self.reason = reason


class BlobUnavailable(OffchainError):
    """Neither the own store nor any peer gave the blob within the time a fetch may take."""


class InvalidWeights(OffchainError):
    """Weights are not a model of the task: other names, shapes or types, NaN, infinite, or out of bounds."""


class InvalidRecords(OffchainError):
    """Test records are not what the task asks for: other number, shape or type, or values out of range."""


class Context(Protocol):
    """A miner's way to its own node. Every method returns or raises in bounded time."""

    account: bytes
    """The miner: 32 bytes."""
    genesis_hash: bytes
    """Hash of the chain's block 0: 32 bytes."""

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        """Sign the operational call with the node's key and submit it.

        Return as well when this round's call of that kind is already in the pool or on chain: a half submits
        at every view until the view shows the call. Raise CallRefused for any other refusal.
        """

    def salt(self, round: int, kind: str) -> bytes:
        """Return 32 secret bytes, always the same for (round, kind): "weights", "labels" or "predictions"."""

    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        """Store a blob for serving and return its name; `visibility` is a BlobVisibility. On disk on return."""

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        """Return the blob from the own store or from peers, `holder` (an account, or empty) asked first.

        What came from a peer is checked against its name, kept, and served on: a blob that one miner has all
        can have. Raise BlobUnavailable after a few seconds at most. May be called from several threads at
        once."""

    def keep(self, round: int, name: str, data: bytes) -> None:
        """Write one of the miner's own files of a round. It is never served and survives a restart."""

    def kept(self, round: int, name: str) -> bytes | None:
        """Return what `keep` wrote, or None."""

    def report(self, **measures: Any) -> None:
        """Tell the node what the worker does and measured: fields of WorkerReport, with all of the round so far."""

    def now_ms(self) -> int:
        """Return a monotonic clock, for measures and for the length of training."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave: weights (safetensors), the number of samples trained on, accuracy on held-out ones.

    `training_accuracy` is that on the samples trained on, in the course of the last epoch; None if not measured.
    """

    weights: bytes
    sample_count: int
    local_accuracy: float
    training_accuracy: float | None = None


class Learner(Protocol):
    """A miner's data and the task's model.

    Weights are safetensors of float32 tensors with the names and shapes of the task's architecture. Records
    are safetensors with one tensor `x`, shape [R, ...], of the data set's own type. Labels are one byte a
    record.
    """

    def initial_model(self) -> bytes:
        """Return the model every miner starts from: the same bytes everywhere, drawn from the task's seed."""

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train from `global_model` on the own share until it stops by itself or `deadline()` is true.

        Raise InvalidWeights when the global model does not fit.
        """

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        """Return (records, labels) of `count` records of the own share, the same at every call for a round,
        and drawn without replacement over the rounds.
        """

    def predict(self, weights: bytes, records: bytes) -> bytes:
        """Return one label a record. Raise InvalidWeights or InvalidRecords."""

    def check_records(self, records: bytes, count: int) -> None:
        """Raise InvalidRecords unless these are exactly `count` well-formed records."""

    def evaluate(self, weights: bytes) -> float:
        """Return the accuracy, 0 to 1, on the data set's own test part. Raise InvalidWeights."""

"""What the off-chain halves share within a round: blobs, predictions, measures.

Everything here is a cache: `enter` drops it when a round begins, and whatever is lost in a restart is fetched
or computed again. What cannot be (weights, labels, predictions once committed) is kept through the Context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import safetensors.numpy
from google.protobuf.message import Message

from pallets.offchain_protocols import BlobUnavailable, CallRefused, Context, InvalidRecords, Learner
from pocl.hashing import ZERO_HASH, blob_name
from pocl.v1.rounds_service_pb2 import MinerView, RoundView

Request = tuple[bytes, int, bytes]
"""A blob to get: name, most bytes, account to ask first."""

PARALLEL_FETCHES = 32
"""Blobs that nobody gives take a fetch's whole time: with few at once, a third of faulty miners could make the
others miss a deadline."""

# A call that came a moment too late, or twice: the next view shows what became of it.
_OVERTAKEN = ("Already", "WrongPhase", "WrongRound")
_OTHER_ROUND = re.compile(r"round \d+ is (past|not due)")  # runtime.transactions.check_due


def owners_of(view: RoundView) -> list[bytes]:
    """Return the accounts of the round's proposers in order: owner i of bitmaps and predictions is entry i."""
    return [miner.miner for miner in view.miners if miner.HasField("proposal")]


def miners_of(view: RoundView) -> dict[bytes, MinerView]:
    """Return the view's miners by account."""
    return {miner.miner: miner for miner in view.miners}


def phase_spent(view: RoundView, deadline_ms: int, numerator: int, denominator: int) -> bool:
    """Tell whether that part of a phase of `deadline_ms` was over at the view's block, on the phase clock."""
    return view.state.phase_clock_ms * denominator >= deadline_ms * numerator


def join_records(parts: Sequence[bytes]) -> bytes:
    """Return the records of several owners as one blob, in their order. Each passed `Learner.check_records`."""
    if len(parts) == 1:
        return parts[0]
    arrays = [safetensors.numpy.load(part)["x"] for part in parts]
    data: bytes = safetensors.numpy.save({"x": np.concatenate(arrays)})
    return data


class RoundWork:
    """One miner's memory of the round it is in."""

    def __init__(self, context: Context, learner: Learner, parallel_fetches: int = PARALLEL_FETCHES) -> None:
        """With `parallel_fetches` 1 all happens on the caller's thread."""
        self._parallel_fetches = parallel_fetches
        self.context = context
        self.learner = learner
        self.account = context.account
        self.round: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._blobs: dict[bytes, bytes] = {}
        self._records: dict[bytes, bytes] = {}
        self._malformed: set[bytes] = set()
        self._asked: set[bytes] = set()
        self._predictions: dict[tuple[bytes, bytes], bytes] = {}
        self._reported: dict[str, Any] = {}

    def enter(self, round: int) -> None:
        """Make `round` the current one; what was held of another is dropped."""
        if round != self.round:
            self.round = round
            self._forget()
            self._reported["round"] = round

    # Calls

    def submit(self, pallet: str, function: str, args: Message) -> None:
        """Submit a call of the current round. Raise CallRefused."""
        assert self.round is not None
        self.context.submit(pallet, function, args, self.round)

    def overtaken(self, error: Exception) -> bool:
        """Tell whether a refusal only says that the chain moved on since the view."""
        if not isinstance(error, CallRefused):
            return False
        name = error.label.rpartition(".")[2]
        return name.startswith(_OVERTAKEN) or _OTHER_ROUND.match(error.reason) is not None

    # Blobs

    def blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        """Return a blob, checked against its name. Raise BlobUnavailable."""
        if name not in self._blobs:
            data = self.context.fetch_blob(name, max_bytes, holder)
            if len(data) > max_bytes or blob_name(data) != name:
                raise BlobUnavailable(f"what came as blob {name.hex()} is not it")
            self._blobs[name] = data
        return self._blobs[name]

    def blobs(self, requests: Sequence[Request], *, again: bool = True) -> dict[bytes, bytes]:
        """Return those of the blobs that could be had, by name.

        They are asked for side by side: one silent holder must not cost the others their time. Without
        `again` those asked for before in vain are left out, since every try may take as long as a fetch may.
        """

        def fetch(request: Request) -> None:
            # Missing is told by what is not there; nothing else is swallowed.
            with suppress(BlobUnavailable):
                self.blob(*request)

        wanted = [request for request in requests if request[0] not in self._blobs]
        if not again:
            wanted = [request for request in wanted if request[0] not in self._asked]
        if min(len(wanted), self._parallel_fetches) > 1:
            with ThreadPoolExecutor(min(len(wanted), self._parallel_fetches)) as pool:
                list(pool.map(fetch, wanted))
        else:
            for request in wanted:
                fetch(request)
        self._asked.update(name for name, _, _ in requests)
        return {name: self._blobs[name] for name, _, _ in requests if name in self._blobs}

    def global_model(self, view: RoundView) -> bytes:
        """Return the model the round starts from; the zero hash is the task's initial model."""
        name = view.state.global_model
        if name == ZERO_HASH:
            if name not in self._blobs:
                self._blobs[name] = self.learner.initial_model()
            return self._blobs[name]
        return self.blob(name, view.config.max_weights_bytes, b"")

    def records(self, view: RoundView, owners: Iterable[bytes], *, again: bool) -> dict[bytes, bytes]:
        """Return the well-formed test records of those of `owners` who give them (`again`: see blobs)."""
        miners = miners_of(view)
        names = {owner: miners[owner].proposal.records_hash for owner in owners}
        requests = [(name, view.config.max_records_bytes, owner) for owner, name in names.items()]
        found = self.blobs(requests, again=again)
        for owner, name in names.items():
            if name in found and owner not in self._records and owner not in self._malformed:
                self._accept(owner, found[name], view.config.test_records)
        return {owner: self._records[owner] for owner in names if owner in self._records}

    def _accept(self, owner: bytes, records: bytes, count: int) -> None:
        try:
            self.learner.check_records(records, count)
        except InvalidRecords:
            self._malformed.add(owner)
        else:
            self._records[owner] = records

    def malformed(self, owner: bytes) -> bool:
        """Tell whether the owner's records came but are not what the task asks for: waiting is no use."""
        return owner in self._malformed

    # Predictions

    def predict(self, model: bytes, weights: bytes, records: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the labels that a model gives each owner's records; `model` is the name of `weights`.

        What was predicted before is not again, and the rest is one call. Raise InvalidWeights.
        """
        missing = [owner for owner in sorted(records) if (model, owner) not in self._predictions]
        if missing:
            sizes = [safetensors.numpy.load(records[owner])["x"].shape[0] for owner in missing]
            labels = self.learner.predict(weights, join_records([records[owner] for owner in missing]))
            start = 0
            for owner, size in zip(missing, sizes, strict=True):
                self._predictions[model, owner] = labels[start : start + size]
                start += size
        return {owner: self._predictions[model, owner] for owner in records}

    # Measures

    def report(self, **fields: Any) -> None:
        """Report these fields of WorkerReport, together with all that was reported of the round before.

        An error is reported once: the next report is of something that went well.
        """
        self._reported.update(fields)
        self.context.report(**self._reported)
        self._reported.pop("error", None)

    @contextmanager
    def timed(self, measure: str, state: str) -> Iterator[None]:
        """Report `state` while the body runs, then its time added to `measure` (train_ms, ...) of the round."""
        self.report(state=state)
        start = self.context.now_ms()
        try:
            yield
        finally:
            spent = self.context.now_ms() - start
            self.report(state="idle", **{measure: self._reported.get(measure, 0) + spent})

    def stopwatch(self, limit_ms: int) -> Callable[[], bool]:
        """Return a function that tells whether `limit_ms` from now are over."""
        end = self.context.now_ms() + limit_ms
        return lambda: self.context.now_ms() >= end

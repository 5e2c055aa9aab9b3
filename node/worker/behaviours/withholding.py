"""Attacks on the round's time: weights that nobody gets, calls at the last moment."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from node.worker.behaviours.attacker import Attacker, NotYet, Seat, within
from pallets.offchain import BlobUnavailable, Half
from pocl.hashing import blob_name
from pocl.v1.round_pb2 import AGGREGATE, AUDIT, PREDICT, REVEAL, TRAIN, VOTE
from pocl.v1.worker_service_pb2 import AFTER_REVEAL, PRIVATE


@dataclass(frozen=True)
class WithheldWeights:
    """Do all that is asked, but give the weights to accomplices alone, who find them right in the audit."""

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Withholder(seat)


class _Withholder(Attacker):
    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        if visibility != AFTER_REVEAL:
            return super().put_blob(data, round, visibility)
        self.collusion.tell(round, _topic(blob_name(data)), data)
        return super().put_blob(data, round, PRIVATE)

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        # Accomplices first: what none but they have would take a fetch's whole time.
        if holder in self.collusion.accounts:
            told = self.collusion.heard(self.view.round, holder, _topic(name))
            if told is not None:
                return told
            if holder != self.account:
                raise BlobUnavailable(name.hex())
        return super().fetch_blob(name, max_bytes, holder)


def _topic(name: bytes) -> str:
    return f"blob-{name.hex()}"


@dataclass(frozen=True)
class Late:
    """Do all work at once and make each call only when `part` of its phase is over: every phase is waited out."""

    part: float = 0.8

    def __post_init__(self) -> None:
        within("part", self.part, 0, 1)

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Latecomer(seat, self.part)


class _Latecomer(Attacker):
    def __init__(self, seat: Seat, part: float) -> None:
        super().__init__(seat)
        self._part = part

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        config = self.view.config
        lengths = {
            TRAIN: config.train_ms, PREDICT: config.predict_ms, REVEAL: config.reveal_ms,
            VOTE: config.vote_ms, AUDIT: config.audit_ms, AGGREGATE: config.aggregate_ms,
        }  # fmt: skip
        # Who does not say that it takes part is not waited for.
        waits = (pallet, function) != ("round", "ready")
        if waits and not self.spent(lengths[self.view.state.phase], self._part):
            raise NotYet("there is time left to lose")
        super().submit(pallet, function, args, round)

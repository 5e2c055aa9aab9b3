"""PREDICT and REVEAL, off chain: predict everybody's records with the own committed model, commit, then open.

A miner commits as soon as it has all others' records. Owners whose records are malformed are marked at once;
those whose records nobody serves are asked again at every view, and marked when half of the phase is over: a
mark takes part in removing an owner, and the other half is for a miner that is slow to be heard.
"""

from __future__ import annotations

from pallets.commitments import PREDICTIONS, WEIGHTS, commitment
from pallets.model_propose.offchain import Own, committed
from pallets.offchain_round import RoundWork, miners_of, owners_of, phase_spent
from pallets.prediction.owners import bitmap, join, removed_owners
from pocl.v1.prediction_pb2 import PredictionCall
from pocl.v1.round_pb2 import PREDICT, REVEAL
from pocl.v1.rounds_service_pb2 import RoundView
from runtime.quorum import faulty

_PREDICTIONS_FILE = "predictions"
_UNAVAILABLE_FILE = "unavailable"


class Predicting:
    """The off-chain half of `prediction`."""

    def __init__(self, work: RoundWork) -> None:
        self.work = work

    def step(self, view: RoundView) -> None:
        """In PREDICT commit, in REVEAL open. Raise OffchainError when that has to wait."""
        if view.state.phase not in (PREDICT, REVEAL):
            return
        own = committed(self.work.context, view)
        if own is None:
            return
        miner = miners_of(view)[self.work.account]
        if view.state.phase == PREDICT and not miner.HasField("commit"):
            self._commit(view, own)
        elif view.state.phase == REVEAL and miner.HasField("commit") and not miner.HasField("reveal"):
            self._reveal(view, own)

    def _commit(self, view: RoundView, own: Own) -> None:
        context = self.work.context
        predictions = context.kept(view.round, _PREDICTIONS_FILE)
        unavailable = context.kept(view.round, _UNAVAILABLE_FILE)
        if predictions is None or unavailable is None:
            made = self._predict(view, own)
            if made is None:
                return
            predictions, unavailable = made
            context.keep(view.round, _UNAVAILABLE_FILE, unavailable)
            context.keep(view.round, _PREDICTIONS_FILE, predictions)
        salt = context.salt(view.round, PREDICTIONS)
        sealed = commitment(PREDICTIONS, context.genesis_hash, view.round, context.account, salt, predictions)
        self.work.submit(
            "prediction", "commit", PredictionCall.Commit(commitment=sealed, unavailable=unavailable)
        )

    def _predict(self, view: RoundView, own: Own) -> tuple[bytes, bytes] | None:
        """Return (predictions, bitmap of unavailable owners), or None while records may still come."""
        owners = owners_of(view)
        others = [owner for owner in owners if owner != self.work.account]
        last_call = phase_spent(view, view.config.predict_ms, 1, 2)
        records = self.work.records(view, others, again=not last_call)
        labels = {}
        if records:
            weights = self.work.blob(own.weights_hash, view.config.max_weights_bytes, self.work.account)
            # Also when some are missing: what is done now need not be done at the last moment.
            with self.work.timed("predict_ms", "predicting"):
                labels = self.work.predict(own.weights_hash, weights, records)
        missing = [owner for owner in others if owner not in records]
        if not last_call and any(not self.work.malformed(owner) for owner in missing):
            return None
        predictions = join([labels.get(owner) for owner in owners], view.config.test_records)
        return predictions, bitmap(len(owners), [owners.index(owner) for owner in missing])

    def _reveal(self, view: RoundView, own: Own) -> None:
        context = self.work.context
        predictions = context.kept(view.round, _PREDICTIONS_FILE)
        if predictions is None or self.work.account in _removed(view):
            return  # None: committed on another disk. The salts are the same, the predictions are gone
        self.work.submit(
            "prediction",
            "reveal",
            PredictionCall.Reveal(
                predictions=predictions,
                predictions_salt=context.salt(view.round, PREDICTIONS),
                weights_hash=own.weights_hash,
                weights_salt=context.salt(view.round, WEIGHTS),
            ),
        )


def _removed(view: RoundView) -> list[bytes]:
    """Return the owners that the commitments' bitmaps removed."""
    owners = owners_of(view)
    bitmaps = [miner.commit.unavailable for miner in view.miners if miner.HasField("commit")]
    indices = removed_owners(bitmaps, len(owners), faulty(len(view.state.miners)))
    return [owners[index] for index in indices]

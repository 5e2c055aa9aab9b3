"""TRAIN, off chain: announce oneself if nobody waits for this miner, train, publish test records, propose.

In order, so that a crash between any two steps costs nothing:
    1. test records into the blob store, served from PREDICT on;
    2. weights into the blob store, served from VOTE on;
    3. labels, name of the weights and the proposal into the miner's own files;
    4. the proposal, which commits to weights and labels with salts that the node derives again at any time.
Once 3 is done the miner proposes those very bytes, however often it is restarted.
"""

from __future__ import annotations

from dataclasses import dataclass

from pallets.commitments import LABELS, WEIGHTS, commitment
from pallets.offchain_protocols import CallRefused, Context, OffchainError
from pallets.offchain_round import RoundWork, miners_of
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.round_pb2 import TRAIN, RoundCall
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.worker_service_pb2 import AFTER_REVEAL, AFTER_TRAIN

_PROPOSAL_FILE = "proposal"
_WEIGHTS_FILE = "weights-hash"
_LABELS_FILE = "labels"


@dataclass(frozen=True, slots=True)
class Own:
    """What this miner committed to in a round."""

    proposal: ModelProposeCall.Propose
    weights_hash: bytes
    labels: bytes


def own_proposal(context: Context, round: int) -> Own | None:
    """Return what this miner wrote down for a round, or None."""
    data = context.kept(round, _PROPOSAL_FILE)
    weights_hash = context.kept(round, _WEIGHTS_FILE)
    labels = context.kept(round, _LABELS_FILE)
    if data is None or weights_hash is None or labels is None:
        return None
    return Own(ModelProposeCall.Propose.FromString(data), weights_hash, labels)


def committed(context: Context, view: RoundView) -> Own | None:
    """Return what this miner committed to in the view's round, or None when it did not or can no longer open it."""
    miner = miners_of(view).get(context.account)
    if miner is None or not miner.HasField("proposal"):
        return None
    own = own_proposal(context, view.round)
    if own is None or own.proposal.weights_commitment != miner.proposal.weights_commitment:
        return None
    return own


class Proposing:
    """The off-chain half of `model_propose`."""

    def __init__(self, work: RoundWork) -> None:
        self.work = work

    def step(self, view: RoundView) -> None:
        """In TRAIN: train once and propose. Raise OffchainError when that has to wait."""
        account = self.work.account
        if view.state.phase != TRAIN or account not in view.state.miners:
            return
        miner = miners_of(view)[account]
        if miner.HasField("proposal"):
            return
        if account not in view.state.expected and not miner.ready:
            self._announce()
        own = own_proposal(self.work.context, view.round) or self._make(view)
        self.work.submit("model_propose", "propose", own.proposal)

    def _announce(self) -> None:
        try:
            self.work.submit("round", "ready", RoundCall.Ready())
        except CallRefused as error:
            # Being late with the announcement must not keep a miner from its training.
            if not self.work.overtaken(error):
                self.work.report(error=str(error))

    def _make(self, view: RoundView) -> Own:
        context, learner, round = self.work.context, self.work.learner, view.round
        count = view.config.test_records
        records, labels = learner.test_set(round, count)
        if len(labels) != count:
            raise OffchainError(f"the test set has {len(labels)} labels, not {count}")
        records_hash = context.put_blob(records, round, AFTER_TRAIN)
        global_model = self.work.global_model(view)
        # A tenth is left for publishing and proposing.
        left = max(0, view.config.train_ms - view.state.phase_clock_ms) * 9 // 10
        with self.work.timed("train_ms", "training"):
            trained = learner.train(global_model, round, self.work.stopwatch(left))
        measured = {"local_accuracy": trained.local_accuracy}
        if trained.training_accuracy is not None:
            measured["training_accuracy"] = trained.training_accuracy
        self.work.report(**measured)
        weights_hash = context.put_blob(trained.weights, round, AFTER_REVEAL)
        proposal = ModelProposeCall.Propose(
            weights_commitment=self._commitment(round, WEIGHTS, weights_hash),
            labels_commitment=self._commitment(round, LABELS, labels),
            records_hash=records_hash,
            records_size=len(records),
            weights_size=len(trained.weights),
            sample_count=trained.sample_count,
        )
        context.keep(round, _LABELS_FILE, labels)
        context.keep(round, _WEIGHTS_FILE, weights_hash)
        context.keep(round, _PROPOSAL_FILE, proposal.SerializeToString(deterministic=True))
        return Own(proposal, weights_hash, labels)

    def _commitment(self, round: int, kind: str, payload: bytes) -> bytes:
        context = self.work.context
        return commitment(
            kind, context.genesis_hash, round, context.account, context.salt(round, kind), payload
        )

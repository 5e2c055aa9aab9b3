"""The off-chain side of a miner: the halves of four pallets, run in order on every view of a round.

    TRAIN      model_propose   train, publish test records, commit to weights and labels
    PREDICT    prediction      predict everybody's records, commit
    REVEAL     prediction      open the commitments
    VOTE       vote            open the labels, cast the ballot they imply
    AUDIT      aggregation     re-run the provisional winners' models, give verdicts
    AGGREGATE  aggregation     average the winners, attest the new global model

`Miner.step` is called with views of final blocks, oldest first; a caller that fell behind gives the newest
alone. A step does what the view asks for and the view does not yet show as done, so it may be called with the
same view any number of times, before and after a restart. What cannot be finished (a blob nobody serves yet)
is tried again at the next view: views come at least once a heartbeat.
"""

from __future__ import annotations

from typing import Protocol

from pallets.aggregation.offchain import Aggregating
from pallets.model_propose.offchain import Proposing
from pallets.offchain_protocols import (
    BlobUnavailable,
    CallRefused,
    Context,
    InvalidRecords,
    InvalidWeights,
    Learner,
    OffchainError,
    Trained,
)
from pallets.offchain_round import PARALLEL_FETCHES, RoundWork
from pallets.prediction.offchain import Predicting
from pallets.vote.offchain import Voting
from pocl.v1.rounds_service_pb2 import RoundView

__all__ = [
    "BlobUnavailable",
    "CallRefused",
    "Context",
    "Half",
    "InvalidRecords",
    "InvalidWeights",
    "Learner",
    "Miner",
    "OffchainError",
    "Trained",
]


class Half(Protocol):
    """One pallet's off-chain half."""

    def step(self, view: RoundView) -> None:
        """Do what this view asks of the miner. Raise OffchainError when a step has to wait for a later view."""


class Miner:
    """All halves of one miner."""

    def __init__(
        self, context: Context, learner: Learner, *, parallel_fetches: int = PARALLEL_FETCHES
    ) -> None:
        self.context = context
        self.work = RoundWork(context, learner, parallel_fetches)
        self.halves: tuple[Half, ...] = (
            Proposing(self.work),
            Predicting(self.work),
            Voting(self.work),
            Aggregating(self.work),
        )

    def step(self, view: RoundView) -> None:
        """Run every half on the view. What a half could not do is reported and tried again at the next view."""
        self.work.enter(view.round)
        for half in self.halves:
            try:
                half.step(view)
            except BlobUnavailable:
                pass  # expected while others still publish; the halves give up by the phase clock
            except OffchainError as error:
                if not self.work.overtaken(error):
                    self.work.report(error=str(error))

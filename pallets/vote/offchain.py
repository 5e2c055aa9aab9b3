"""VOTE, off chain: open the labels and cast the ballot that they imply.

The ranking is computed by the function with which the chain checks it (pallets/vote/ranking.py).
"""

from __future__ import annotations

from pallets.commitments import LABELS
from pallets.model_propose.offchain import committed
from pallets.offchain_round import RoundWork, miners_of, owners_of
from pallets.vote.ranking import Revealed, implied_ranking
from pocl.v1.round_pb2 import VOTE
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.vote_pb2 import VoteCall


class Voting:
    """The off-chain half of `vote`."""

    def __init__(self, work: RoundWork) -> None:
        self.work = work

    def step(self, view: RoundView) -> None:
        """In VOTE cast the own ballot. Raise CallRefused."""
        if view.state.phase != VOTE:
            return
        account = self.work.account
        own = committed(self.work.context, view)
        if own is None:
            return
        miner = miners_of(view)[account]
        if not miner.HasField("reveal") or miner.HasField("ballot"):
            return
        revealed = [
            Revealed(other.miner, other.reveal.predictions, other.commit.block)
            for other in view.miners
            if other.HasField("reveal")
        ]
        self.work.submit(
            "vote",
            "cast",
            VoteCall.Cast(
                labels=own.labels,
                labels_salt=self.work.context.salt(view.round, LABELS),
                ranking=implied_ranking(account, owners_of(view).index(account), own.labels, revealed),
            ),
        )

"""Ballots that say what their owner likes."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from node.worker.behaviours.attacker import Attacker, Seat
from pallets.offchain import CallRefused, Half
from pallets.vote.ranking import rank_groups
from pocl.v1.vote_pb2 import VoteCall


@dataclass(frozen=True)
class BallotStuffing:
    """Train honestly, and rank accomplices first, then the others, the best of them last.

    When the chain refuses that ballot, cast the true one: without any ballot a miner is no candidate.
    """

    def miner(self, seat: Seat) -> Half:
        """Return the miner on this seat."""
        return _Stuffer(seat)


class _Stuffer(Attacker):
    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        if isinstance(args, VoteCall.Cast):
            stuffed = self._stuffed(args)
            if stuffed != args:
                try:
                    super().submit(pallet, function, stuffed, round)
                except CallRefused as error:
                    if error.label != "vote.FalseBallot":
                        raise
                else:
                    return
        super().submit(pallet, function, args, round)

    def _stuffed(self, true: VoteCall.Cast) -> VoteCall.Cast:
        ranked = [miner for place in true.ranking for miner in place.miners]
        friends = [miner for miner in ranked if miner in self.collusion.accounts]
        others = [miner for miner in reversed(ranked) if miner not in friends]
        places = [[miner] for miner in (*friends, *others)]
        return VoteCall.Cast(labels=true.labels, labels_salt=true.labels_salt, ranking=rank_groups(places))

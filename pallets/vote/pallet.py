"""VOTE: labels and ballots.

Rules of `cast`:
- by miners that revealed, once a round;
- the labels are exactly R, each below `classes`, and open the commitment made in TRAIN;
- the ranking is the one that labels and revealed predictions imply (pallets/vote/ranking.py), else the ballot
  is false and refused.

When VOTE ends, the ballots become the tally (pallets/vote/tally.py) and its provisional winners.
"""

from __future__ import annotations

from typing import ClassVar

from pallets.commitments import LABELS, SALT_SIZE, commitment
from pallets.model_propose import ModelPropose
from pallets.prediction import Prediction
from pallets.round import Round
from pallets.round.books import check_only_kept, kept_rounds
from pallets.validators import Validators
from pallets.vote import weights
from pallets.vote.ranking import Revealed, correct_on, implied_ranking
from pallets.vote.tally import OwnerBallot, TallyRules, tally
from pocl.v1.model_propose_pb2 import ModelProposal
from pocl.v1.round_pb2 import VOTE
from pocl.v1.vote_pb2 import Ballot, Tally, VoteCall, VoteEvent
from runtime.frame import (
    OPERATIONAL,
    U64,
    AccountId,
    DispatchError,
    Message,
    Origin,
    Pallet,
    StorageDoubleMap,
    StorageMap,
    call,
)
from runtime.quorum import faulty


class NotRevealed(DispatchError):
    """The miner has not opened its commitments in this round."""


class AlreadyVoted(DispatchError):
    """The miner has cast its ballot in this round."""


class WrongLength(DispatchError):
    """There is not exactly one label a record, or the salt has not 32 bytes."""


class InvalidLabels(DispatchError):
    """A label is not below the number of classes."""


class LabelsMismatch(DispatchError):
    """Labels and salt do not open the commitment that the miner made in TRAIN."""


class FalseBallot(DispatchError):
    """The ranking is not the one that the labels and the revealed predictions imply."""


def _cast_weight(args: VoteCall.Cast) -> int:
    ranked = sum(len(place.miners) for place in args.ranking)
    return weights.cast(ranked, ranked * len(args.labels))


class Vote(Pallet):
    """Labels, ballots and tallies of each round."""

    name = "vote"
    errors = (NotRevealed, AlreadyVoted, WrongLength, InvalidLabels, LabelsMismatch, FalseBallot)
    events: ClassVar = {
        VoteEvent.BallotCast: "An owner opened its labels and cast its ballot.",
        VoteEvent.ProvisionalWinners: "The tally: who may win, and whose ballots counted; AUDIT begins.",
    }

    Ballots = StorageDoubleMap(
        U64, AccountId, Message(Ballot), doc="Labels and rankings, by round and owner."
    )
    Tallies = StorageMap(U64, Message(Tally), doc="The tally of a round, from AUDIT on.")

    @call(VoteCall.Cast, weight=_cast_weight, class_=OPERATIONAL, kind="cast")
    def cast(self, origin: Origin, args: VoteCall.Cast) -> None:
        """Open the labels of the own test records, and rank the others by what they predicted."""
        rounds = self.pallet(Round)
        state = rounds.require(origin, VOTE)
        owner = origin.signer
        prediction = self.pallet(Prediction)
        if not prediction.has_revealed(state.round, owner):
            raise NotRevealed
        if self.has_cast(state.round, owner):
            raise AlreadyVoted
        config = rounds.config()
        if len(args.labels) != config.test_records:
            raise WrongLength(f"{len(args.labels)} labels were given for {config.test_records} records")
        if len(args.labels_salt) != SALT_SIZE:
            raise WrongLength(f"a salt has {SALT_SIZE} bytes, not {len(args.labels_salt)}")
        if max(args.labels) >= config.classes:
            raise InvalidLabels(f"there is a label {max(args.labels)}: labels are below {config.classes}")
        proposals = dict(self.pallet(ModelPropose).Proposals.items(state.round))
        proposal: ModelProposal = proposals[owner]
        opened = commitment(LABELS, self.env.genesis_hash, state.round, owner, args.labels_salt, args.labels)
        if opened != proposal.labels_commitment:
            raise LabelsMismatch
        index = list(proposals).index(owner)
        if list(args.ranking) != implied_ranking(owner, index, args.labels, self._revealed(state.round)):
            raise FalseBallot("rank by correct labels, then by the block of the prediction's commitment")
        self.Ballots.put(
            state.round,
            owner,
            Ballot(labels=args.labels, labels_salt=args.labels_salt, ranking=args.ranking),
        )
        self.deposit(VoteEvent.BallotCast(round=state.round, owner=owner))

    # For the other pallets.

    def has_cast(self, round: int, owner: bytes) -> bool:
        """Return whether a miner has cast its ballot."""
        return self.Ballots.contains(round, owner)

    def casters(self, round: int) -> list[bytes]:
        """Return the miners that cast a ballot, sorted: the candidates."""
        return [owner for owner, _ in self.Ballots.items(round)]

    def count(self, round: int) -> list[bytes]:
        """End VOTE: write the tally; return the provisional winners, best first, none without a ballot."""
        result = self._tally(round, self.pallet(Round).State.get().seed)
        self.Tallies.put(round, result)
        self.deposit(
            VoteEvent.ProvisionalWinners(
                round=round, winners=result.provisional, counted_owners=result.counted_owners
            )
        )
        return list(result.provisional)

    def tally(self, round: int) -> Tally:
        """Return the tally of a round that has reached AUDIT."""
        return self.Tallies.get(round)

    def forget(self, round: int) -> None:
        """Remove a round's ballots and tally."""
        self.Ballots.clear(round)
        self.Tallies.remove(round)

    def try_state(self) -> None:
        """Check of all kept rounds that every ballot is an honest count, and of the current one its tally."""
        rounds = self.pallet(Round)
        state = rounds.State.get()
        for number in kept_rounds(rounds):
            owners = self.pallet(ModelPropose).proposers(number)
            ballots = dict(self.Ballots.items(number))
            revealers = set(self.pallet(Prediction).revealers(number))
            assert set(ballots) <= revealers, f"round {number}: a ballot without predictions"
            if self.Tallies.get(number) is None or number != state.round:
                continue
            revealed = self._revealed(number)
            for owner, ballot in ballots.items():
                implied = implied_ranking(owner, owners.index(owner), ballot.labels, revealed)
                assert list(ballot.ranking) == implied, f"round {number}: a false ballot was accepted"
            assert self.tally(number) == self._tally(number, state.seed), f"round {number}: the tally"
        check_only_kept(rounds, Vote.Ballots, Vote.Tallies)

    def _revealed(self, round: int) -> list[Revealed]:
        prediction = self.pallet(Prediction)
        blocks = {miner: commit.block for miner, commit in prediction.Commits.items(round)}
        return [
            Revealed(miner, reveal.predictions, blocks[miner])
            for miner, reveal in prediction.Reveals.items(round)
        ]

    def _tally(self, round: int, seed: bytes) -> Tally:
        config = self.pallet(Round).config()
        owners = {owner: i for i, owner in enumerate(self.pallet(ModelPropose).proposers(round))}
        revealed = self._revealed(round)
        ballots = [
            OwnerBallot(
                owner,
                [list(group.miners) for group in ballot.ranking],
                correct_on(owner, owners[owner], ballot.labels, revealed),
            )
            for owner, ballot in self.Ballots.items(round)
        ]
        rules = TallyRules(
            voting=config.voting,
            records=config.test_records,
            screen_margin_bp=config.screen_margin_bp,
            # Of the round's own set: where the round ends, the set of the next one may bear fewer faults.
            provisional=max(config.winners, faulty(len(self.pallet(Validators).set_of(round))) + 1),
            seed=seed,
        )
        return tally(rules, [ballot.owner for ballot in ballots], ballots)

"""PREDICT and REVEAL: predictions.

Rules of `commit`, in PREDICT:
- by miners that proposed, once a round;
- it binds the miner to its predictions on everybody's records before anybody shows any. Its block is the
  miner's speed;
- `unavailable` is a bitmap over the owners (pallets/prediction/owners.py): those whose records it could not
  get or that were not what they should be. The own bit is zero;
- when PREDICT ends, owners marked by f+1 miners are *removed*: one of those is honest. They can neither
  reveal nor vote, so they are no candidates. An owner with fewer marks stays; whoever marked it has the
  middle rank there.

Rules of `reveal`, in REVEAL:
- by miners that committed and were not removed, once a round;
- it opens both the predictions' and the weights' commitment: the blob name of the weights is public from now
  on;
- predictions are exactly R bytes an owner: 255 on the own part and on those of the owners the miner marked
  itself, labels below `classes` everywhere else, also on owners that were removed by others' marks.
"""

from __future__ import annotations

from typing import ClassVar

from pallets.commitments import PREDICTIONS, SALT_SIZE, WEIGHTS, commitment
from pallets.model_propose import ModelPropose
from pallets.prediction import weights
from pallets.prediction.owners import bitmap, flaw, is_bitmap, is_marked, removed_owners
from pallets.round import Round
from pallets.round.books import check_only_kept, kept_rounds
from pallets.validators import Validators
from pocl.hashing import HASH_SIZE
from pocl.v1.model_propose_pb2 import ModelProposal
from pocl.v1.prediction_pb2 import PredictionCall, PredictionCommit, PredictionEvent, PredictionReveal
from pocl.v1.round_pb2 import PREDICT, REVEAL
from runtime.frame import (
    OPERATIONAL,
    U64,
    AccountId,
    Bytes,
    DispatchError,
    Message,
    Origin,
    Pallet,
    StorageDoubleMap,
    StorageMap,
    call,
)


class NotProposer(DispatchError):
    """The miner made no proposal in this round."""


class AlreadyCommitted(DispatchError):
    """The miner has committed to its predictions in this round."""


class NotCommitted(DispatchError):
    """The miner has not committed to predictions in this round."""


class AlreadyRevealed(DispatchError):
    """The miner has opened its commitments in this round."""


class Removed(DispatchError):
    """Too many miners could not get this owner's records: it is out of the round."""


class WrongLength(DispatchError):
    """Commitment, salts, weights hash or predictions have a wrong length."""


class InvalidBitmap(DispatchError):
    """The bitmap has a wrong length, a bit beyond the last owner, or the miner's own bit."""


class InvalidPredictions(DispatchError):
    """A label is out of range, or a part that must be left out holds labels, or the other way round."""


class CommitmentMismatch(DispatchError):
    """What is revealed does not open the miner's commitment to its predictions or weights."""


class Prediction(Pallet):
    """The predictions of each round, committed and revealed."""

    name = "prediction"
    errors = (
        NotProposer,
        AlreadyCommitted,
        NotCommitted,
        AlreadyRevealed,
        Removed,
        WrongLength,
        InvalidBitmap,
        InvalidPredictions,
        CommitmentMismatch,
    )
    events: ClassVar = {
        PredictionEvent.Committed: "A miner committed to its predictions and marked owners without records.",
        PredictionEvent.Revealed: "A miner opened its predictions and the name of its weights.",
    }

    Commits = StorageDoubleMap(
        U64, AccountId, Message(PredictionCommit), doc="Commitments to predictions, by round and miner."
    )
    Reveals = StorageDoubleMap(
        U64, AccountId, Message(PredictionReveal), doc="Opened predictions, by round and miner."
    )
    RemovedOwners = StorageMap(
        U64, Bytes, doc="Bitmap over a round's owners: those whose records f+1 miners could not get."
    )

    @call(PredictionCall.Commit, weight=weights.COMMIT, class_=OPERATIONAL, kind="commit")
    def commit(self, origin: Origin, args: PredictionCall.Commit) -> None:
        """Commit to predictions on all owners' records; mark the owners whose records could not be had."""
        state = self.pallet(Round).require(origin, PREDICT)
        owners = self.pallet(ModelPropose).proposers(state.round)
        if origin.signer not in owners:
            raise NotProposer
        if self.has_committed(state.round, origin.signer):
            raise AlreadyCommitted
        if len(args.commitment) != HASH_SIZE:
            raise WrongLength(f"a commitment has {HASH_SIZE} bytes, not {len(args.commitment)}")
        if not is_bitmap(args.unavailable, len(owners)):
            raise InvalidBitmap(f"it is not a bitmap over {len(owners)} owners")
        if is_marked(args.unavailable, owners.index(origin.signer)):
            raise InvalidBitmap("a miner has its own records")
        self.Commits.put(
            state.round,
            origin.signer,
            PredictionCommit(
                commitment=args.commitment, unavailable=args.unavailable, block=self.env.header.number
            ),
        )
        self.deposit(
            PredictionEvent.Committed(round=state.round, miner=origin.signer, unavailable=args.unavailable)
        )

    @call(
        PredictionCall.Reveal,
        weight=lambda args: weights.reveal(len(args.predictions)),
        class_=OPERATIONAL,
        kind="reveal",
    )
    def reveal(self, origin: Origin, args: PredictionCall.Reveal) -> None:
        """Open the commitments to predictions and weights."""
        rounds = self.pallet(Round)
        state = rounds.require(origin, REVEAL)
        miner = origin.signer
        committed: PredictionCommit | None = self.Commits.get(state.round, miner)
        if committed is None:
            raise NotCommitted
        if self.has_revealed(state.round, miner):
            raise AlreadyRevealed
        owners = self.pallet(ModelPropose).proposers(state.round)
        own = owners.index(miner)
        if is_marked(self.RemovedOwners.get(state.round), own):
            raise Removed
        config = rounds.config()
        for name, size in (
            ("predictions", len(owners) * config.test_records),
            ("predictions_salt", SALT_SIZE),
            ("weights_hash", HASH_SIZE),
            ("weights_salt", SALT_SIZE),
        ):
            if len(getattr(args, name)) != size:
                raise WrongLength(f"{name} has {len(getattr(args, name))} bytes, not {size}")
        wrong = flaw(
            args.predictions, own, committed.unavailable, len(owners), config.test_records, config.classes
        )
        if wrong:
            raise InvalidPredictions(wrong)
        proposal: ModelProposal = self.pallet(ModelPropose).Proposals.get(state.round, miner)
        for kind, salt, payload, promised in (
            (PREDICTIONS, args.predictions_salt, args.predictions, committed.commitment),
            (WEIGHTS, args.weights_salt, args.weights_hash, proposal.weights_commitment),
        ):
            if commitment(kind, self.env.genesis_hash, state.round, miner, salt, payload) != promised:
                raise CommitmentMismatch(f"the {kind} commitment does not open")
        self.Reveals.put(
            state.round,
            miner,
            PredictionReveal(
                predictions=args.predictions,
                predictions_salt=args.predictions_salt,
                weights_hash=args.weights_hash,
                weights_salt=args.weights_salt,
            ),
        )
        self.deposit(PredictionEvent.Revealed(round=state.round, miner=miner, weights_hash=args.weights_hash))

    # For the other pallets.

    def has_committed(self, round: int, miner: bytes) -> bool:
        """Return whether a miner committed to predictions in a round."""
        return self.Commits.contains(round, miner)

    def has_revealed(self, round: int, miner: bytes) -> bool:
        """Return whether a miner opened its commitments in a round."""
        return self.Reveals.contains(round, miner)

    def committers(self, round: int) -> list[bytes]:
        """Return the miners that committed, sorted."""
        return [miner for miner, _ in self.Commits.items(round)]

    def may_reveal(self, round: int) -> list[bytes]:
        """Return the miners that committed and were not removed, sorted."""
        removed = self.removed(round)
        return [miner for miner in self.committers(round) if miner not in removed]

    def revealers(self, round: int) -> list[bytes]:
        """Return the miners that revealed, sorted."""
        return [miner for miner in self.committers(round) if self.has_revealed(round, miner)]

    def removed(self, round: int) -> set[bytes]:
        """Return the owners that were removed when PREDICT ended."""
        bits: bytes | None = self.RemovedOwners.get(round)
        if bits is None:
            return set()
        owners = self.pallet(ModelPropose).proposers(round)
        return {owner for index, owner in enumerate(owners) if is_marked(bits, index)}

    def remove_owners(self, round: int) -> list[bytes]:
        """End PREDICT: remove the owners that f+1 miners marked, and return them."""
        owners = self.pallet(ModelPropose).proposers(round)
        marks = [commit.unavailable for _, commit in self.Commits.items(round)]
        indices = removed_owners(marks, len(owners), self.pallet(Validators).f)
        self.RemovedOwners.put(round, bitmap(len(owners), indices))
        return [owners[index] for index in indices]

    def forget(self, round: int) -> None:
        """Remove a round's commitments and predictions."""
        self.Commits.clear(round)
        self.Reveals.clear(round)
        self.RemovedOwners.remove(round)

    def try_state(self) -> None:
        """Check of all kept rounds that who revealed had committed, and that predictions are whole."""
        rounds = self.pallet(Round)
        records = rounds.config().test_records
        for number in kept_rounds(rounds):
            owners = self.pallet(ModelPropose).proposers(number)
            commits = dict(self.Commits.items(number))
            assert set(commits) <= set(owners), f"round {number}: somebody committed without a proposal"
            for miner, commit in commits.items():
                assert is_bitmap(commit.unavailable, len(owners)), f"round {number}: a bitmap's length"
                assert not is_marked(commit.unavailable, owners.index(miner)), "a miner marked itself"
            removed = self.removed(number)
            for miner, reveal in self.Reveals.items(number):
                assert miner in set(commits) - removed, f"round {number}: who revealed may not"
                assert len(reveal.predictions) == len(owners) * records, f"round {number}: predictions"
        check_only_kept(rounds, Prediction.Commits, Prediction.Reveals, Prediction.RemovedOwners)

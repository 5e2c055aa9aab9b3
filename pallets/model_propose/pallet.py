"""TRAIN: proposals.

Rules:
- a miner proposes at most once a round: commitments to its weights and to the labels of its test records, the
  blob name of those records (inputs only), sizes, and the number of samples it trained on;
- sizes are within the chain's bounds, so that everybody knows beforehand how much there is to fetch;
- the miners that proposed, sorted by account, are the round's *owners*: bitmaps and predictions number them
  by their place.

A commitment is not compared with others': copied from another miner it opens nothing
(pallets/commitments.py), and refusing the second of two equal ones would let the copier shut out the miner it
copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pallets.model_propose import weights
from pallets.round import Round
from pallets.round.books import check_only_kept, kept_rounds
from pocl.hashing import HASH_SIZE
from pocl.v1.model_propose_pb2 import ModelProposal, ModelProposeCall, ModelProposeEvent
from pocl.v1.round_pb2 import TRAIN
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
    StorageValue,
    call,
)


class AlreadyProposed(DispatchError):
    """The miner has proposed in this round."""


class WrongLength(DispatchError):
    """Commitments and the name of the records have exactly 32 bytes."""


class WrongSize(DispatchError):
    """Weights or records are empty, or larger than the chain allows."""


class NoSamples(DispatchError):
    """A proposal rests on at least one training sample."""


class ModelPropose(Pallet):
    """The proposals of each round: commitments to a trained model and to test labels."""

    name = "model_propose"
    errors = (AlreadyProposed, WrongLength, WrongSize, NoSamples)
    events: ClassVar = {
        ModelProposeEvent.Proposed: "A miner committed to a trained model and named its test records.",
    }

    Task = StorageValue(
        Bytes, default=b"", doc="The learning task, canonical JSON: data set, architecture, training."
    )
    Proposals = StorageDoubleMap(U64, AccountId, Message(ModelProposal), doc="Proposals by round and miner.")

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take `task`, the learning task as bytes."""
        self.Task.put(config.get("task", b""))

    @call(ModelProposeCall.Propose, weight=weights.PROPOSE, class_=OPERATIONAL, kind="propose")
    def propose(self, origin: Origin, args: ModelProposeCall.Propose) -> None:
        """Commit to a trained model and to the labels of the own test records, and name those records."""
        rounds = self.pallet(Round)
        state = rounds.require(origin, TRAIN)
        if self.has_proposed(state.round, origin.signer):
            raise AlreadyProposed
        for name in ("weights_commitment", "labels_commitment", "records_hash"):
            if len(getattr(args, name)) != HASH_SIZE:
                raise WrongLength(f"{name} has {len(getattr(args, name))} bytes, not {HASH_SIZE}")
        config = rounds.config()
        for name, most in (
            ("weights_size", config.max_weights_bytes),
            ("records_size", config.max_records_bytes),
        ):
            if not 1 <= getattr(args, name) <= most:
                raise WrongSize(f"{name} is {getattr(args, name)}: it may be 1 to {most} bytes")
        if not args.sample_count:
            raise NoSamples
        self.Proposals.put(
            state.round,
            origin.signer,
            ModelProposal(
                weights_commitment=args.weights_commitment,
                labels_commitment=args.labels_commitment,
                records_hash=args.records_hash,
                records_size=args.records_size,
                weights_size=args.weights_size,
                sample_count=args.sample_count,
                block=self.env.header.number,
            ),
        )
        self.deposit(
            ModelProposeEvent.Proposed(
                round=state.round,
                miner=origin.signer,
                records_hash=args.records_hash,
                sample_count=args.sample_count,
            )
        )

    # For the other pallets.

    def has_proposed(self, round: int, miner: bytes) -> bool:
        """Return whether a miner proposed in a round."""
        return self.Proposals.contains(round, miner)

    def proposers(self, round: int) -> list[bytes]:
        """Return the miners that proposed in a round, sorted: its owners, in their order."""
        return [miner for miner, _ in self.Proposals.items(round)]

    def forget(self, round: int) -> None:
        """Remove a round's proposals."""
        self.Proposals.clear(round)

    def try_state(self) -> None:
        """Check that all proposals of kept rounds are miners' and well formed."""
        rounds = self.pallet(Round)
        config = rounds.config()
        for number in kept_rounds(rounds):
            miners = set(rounds.miners(number))
            for miner, proposal in self.Proposals.items(number):
                assert miner in miners, f"round {number}: 0x{miner.hex()} proposed but is no miner"
                assert len(proposal.weights_commitment) == len(proposal.labels_commitment) == HASH_SIZE
                assert 1 <= proposal.weights_size <= config.max_weights_bytes
                assert 1 <= proposal.records_size <= config.max_records_bytes
        check_only_kept(rounds, ModelPropose.Proposals)

"""Adversaries that say what is not so: false openings, ballots, tags; other miners' words as their own."""

from __future__ import annotations

from contextlib import suppress

from google.protobuf.message import Message

from pallets.offchain import CallRefused, Half, Learner, Miner
from pallets.offchain_round import miners_of, owners_of
from pallets.prediction.owners import join, part
from pocl.hashing import blob_name
from pocl.v1.aggregation_pb2 import AggregationCall
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.prediction_pb2 import PredictionCall
from pocl.v1.round_pb2 import PREDICT, REVEAL, TRAIN
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.vote_pb2 import VoteCall
from tests.round_network import MinerNode


class Copier:
    """Trains nothing: sends another miner's proposal, commitment and opening as its own, once they are public."""

    adjusts = False
    """Whether it gives the copied predictions the form that its own must have."""

    def __init__(self, node: MinerNode, learner: Learner) -> None:
        self._node = node

    def step(self, view: RoundView) -> None:
        miners = miners_of(view)
        own = miners.pop(self._node.account, None)
        if own is None or not miners:
            return
        victim = next(iter(miners.values()))
        steps = (
            (TRAIN, "model_propose", "propose", ModelProposeCall.Propose, own.proposal, victim.proposal),
            (PREDICT, "prediction", "commit", PredictionCall.Commit, own.commit, victim.commit),
            (REVEAL, "prediction", "reveal", PredictionCall.Reveal, own.reveal, victim.reveal),
        )
        for phase, pallet, function, call, done, original in steps:
            if view.state.phase == phase and not done.ByteSize() and original.ByteSize():
                copied = call(
                    **{field.name: getattr(original, field.name) for field in call.DESCRIPTOR.fields}
                )
                if self.adjusts and isinstance(copied, PredictionCall.Reveal):
                    copied.predictions = self._adjusted(view, copied.predictions, victim.miner)
                _try(self._node, pallet, function, copied, view.round)

    def _adjusted(self, view: RoundView, predictions: bytes, victim: bytes) -> bytes:
        size, owners = view.config.test_records, owners_of(view)
        parts: list[bytes | None] = [part(predictions, index, size) for index in range(len(owners))]
        parts[owners.index(self._node.account)] = None
        parts[owners.index(victim)] = bytes(size)
        return join(parts, size)


class AdjustingCopier(Copier):
    """A copier whose copy is well formed: nothing but the commitment itself gives it away."""

    adjusts = True


copier = Copier
adjusting_copier = AdjustingCopier


class SecondProposal:
    """Proposes before it has trained, to be in time, and again afterwards."""

    def __init__(self, node: MinerNode, learner: Learner) -> None:
        self._node = node
        self._miner = Miner(node, learner)

    def step(self, view: RoundView) -> None:
        self._miner.step(view)
        first = miners_of(view).get(self._node.account)
        if view.state.phase == TRAIN and first is not None and first.HasField("proposal"):
            fields = ModelProposeCall.Propose.DESCRIPTOR.fields
            second = ModelProposeCall.Propose(**{f.name: getattr(first.proposal, f.name) for f in fields})
            second.weights_commitment = bytes(32)
            _try(self._node, "model_propose", "propose", second, view.round)


second_proposal = SecondProposal


def another_size_promised(node: MinerNode, learner: Learner) -> Half:
    """Propose a size of the weights that is not theirs."""

    def rewrite(function: str, args: Message) -> Message:
        if isinstance(args, ModelProposeCall.Propose):
            args.weights_size += 1
        return args

    node.rewrite = rewrite
    return Miner(node, learner)


def false_labels(node: MinerNode, learner: Learner) -> Half:
    """Open other labels than those committed to."""

    def rewrite(function: str, args: Message) -> Message:
        if isinstance(args, VoteCall.Cast):
            args.labels = bytes([(args.labels[0] + 1) % 10]) + args.labels[1:]
        return args

    node.rewrite = rewrite
    return Miner(node, learner)


def false_ballot(node: MinerNode, learner: Learner) -> Half:
    """Rank the others the other way round."""

    def rewrite(function: str, args: Message) -> Message:
        if isinstance(args, VoteCall.Cast):
            turned = list(args.ranking)[::-1]
            assert turned != list(args.ranking), "all are equal: nothing to turn round"
            del args.ranking[:]
            args.ranking.extend(turned)
        return args

    node.rewrite = rewrite
    return Miner(node, learner)


def other_weights_revealed(node: MinerNode, learner: Learner) -> Half:
    """Reveal the name of other weights than those committed to."""

    def rewrite(function: str, args: Message) -> Message:
        if isinstance(args, PredictionCall.Reveal):
            args.weights_hash = blob_name(learner.initial_model())
        return args

    node.rewrite = rewrite
    return Miner(node, learner)


def false_tags(node: MinerNode, learner: Learner) -> Half:
    """Call every winner right without having looked: the tags are made up."""

    def rewrite(function: str, args: Message) -> Message:
        if isinstance(args, AggregationCall.Audit):
            for place, verdict in enumerate(args.verdicts):
                verdict.tag = bytes([place + 1]) * 32
        return args

    node.rewrite = rewrite
    return Miner(node, learner)


def _try(node: MinerNode, pallet: str, function: str, args: Message, round: int) -> None:
    with suppress(CallRefused):  # the network notes it
        node.submit(pallet, function, args, round)

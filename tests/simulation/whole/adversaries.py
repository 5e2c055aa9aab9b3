"""The faulty nodes: each does what it likes with its own key, and only with that."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from node.chain import UnknownParent
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, ConsensusMessage, Proposal
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from pocl.v1.vote_pb2 import VoteCall
from runtime.blocks import header_hash
from runtime.certificates import vote_message
from runtime.frame import InvalidBlock
from tests.simulation.adversaries import ForkingCore, LateLinks, Loose, VotesForAll
from tests.simulation.scheme import KeyedHashScheme
from tests.simulation.whole.messages import Transactions
from tests.simulation.whole.node import WholeNode
from tests.simulation.whole.worker import Worker


class Faulty(Loose, WholeNode):
    """Not watched."""

    watched = False

    def place(self, epoch: int) -> int | None:
        """Return this account's index in an epoch's set, or what it was before it was put out."""
        places = (WholeNode.place(self, number) for number in range(epoch, 0, -1))
        return next((place for place in places if place is not None), None)


class Silent(Faulty):
    """Connects and never says anything."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Say nothing."""

    def send(self, peer: int, message: ConsensusMessage) -> None:
        """Say nothing."""

    def serve_blob(self, name: bytes) -> bytes | None:
        """Serve nothing."""
        return None


class _IdleWorker(Worker):
    """Does nothing."""

    def _step(self) -> None:
        self._waiting = False


class Absent(Silent):
    """Says nothing, and its worker neither: it misses every round, until it is put out of the set."""

    worker_class = _IdleWorker


class Late(LateLinks, Faulty):
    """Says everything late."""


class VoteWithholder(Faulty):
    """Proposes, passes on, and follows, but never shows a vote but to one."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Keep votes back."""
        if not message.HasField("vote"):
            super().broadcast(message)
        else:
            favourite = (self.index + 1) % len(self.simulation.nodes)
            self.simulation.network.send(self.index, favourite, message)


class Twin(Faulty):
    """One of two nodes that run with one key, each with its own disk, neither knowing of the other."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Reach only some, others each time."""
        for peer in self.some(0.75):
            self.simulation.network.send(self.index, peer, message)


class DoubleVoter(VotesForAll, Faulty):
    """Votes for what comes, and for something else."""

    kinds = (NOTARIZE,)

    def _receive(self, sender: int, message: Any) -> None:
        super()._receive(sender, message)
        if isinstance(message, ConsensusMessage):
            self.answer_to(message)
            if message.HasField("vote") and message.vote.kind != NULLIFY:
                vote = message.vote
                self.vote(vote.epoch, vote.view, vote.kind, bytes(reversed(vote.block_hash)))


class ConflictingFinalizer(VotesForAll, Faulty):
    """Finalizes and nullifies every view."""

    kinds = (FINALIZE, NULLIFY)

    def _receive(self, sender: int, message: Any) -> None:
        super()._receive(sender, message)
        if isinstance(message, ConsensusMessage):
            self.answer_to(message)


class EquivocatingProposer(Faulty):
    """Shows others different blocks: valid, on another parent, with what was included before, or invalid."""

    core_class = ForkingCore

    def broadcast(self, message: ConsensusMessage) -> None:
        """Send proposals with two faces."""
        if message.HasField("proposal"):
            first = self._face(message.proposal)
            if self.simulation.random.random() < 0.5:
                # The same lie to all is the one that could come through.
                second = first
                self.simulation.network.broadcast(self.index, ConsensusMessage(proposal=first))
            else:
                second = self._face(message.proposal)
                self.show(first, second)
            for face in (first, second):
                for kind in (NOTARIZE, FINALIZE):
                    self.vote(face.epoch, face.view, kind, header_hash(face.block.header))
        else:
            super().broadcast(message)

    def _face(self, proposal: Proposal) -> Proposal:
        face = Proposal()
        face.CopyFrom(proposal)
        header, random = face.block.header, self.simulation.random
        parent, epoch, extrinsics = header.parent_hash, header.epoch, list(face.block.extrinsics)
        way = random.randrange(5)
        if header.view != proposal.view:
            # A closing block proposed again: extend it instead.
            parent, epoch, extrinsics = header_hash(header), header.next_epoch.epoch, []
        elif way == 1:
            header.state_root = random.randbytes(32)
        elif way == 2:
            # Another parent than the certificates show: the one before, or the last final block.
            above = self.chain.header(parent)
            parent = self.chain.final_hash if above is None else above.parent_hash
        elif way == 3:
            old = self.simulation.past_extrinsics
            extrinsics = random.sample(old, min(len(old), 3)) + extrinsics
        if way > 1:
            try:
                made = self.chain.propose(
                    parent,
                    epoch=epoch,
                    view=proposal.view,
                    timestamp_ms=header.timestamp_ms + random.choice((0, 1, 300, 10_000)),
                    author=self.account,
                    extrinsics=extrinsics,
                )
                face.block.CopyFrom(made.block)
            except (InvalidBlock, UnknownParent):
                pass
        return self.signed(face)


class TwoFaced(VotesForAll, EquivocatingProposer):
    """All of it, and forgets everything at a crash."""

    def _receive(self, sender: int, message: Any) -> None:
        super()._receive(sender, message)
        if isinstance(message, ConsensusMessage):
            self.answer_to(message)

    def logged(self, records: tuple[ConsensusMessage, ...]) -> Any:
        """Log nothing."""
        return ()


class StaleReplayer(Faulty):
    """Sends again what it once heard, votes and certificates also as if they were of this epoch; extrinsics too."""

    _MOST = 200

    def _receive(self, sender: int, message: Any) -> None:
        super()._receive(sender, message)
        random = self.simulation.random
        heard: list[Any] = self.__dict__.setdefault("heard", [])
        if isinstance(message, ConsensusMessage | Transactions) and len(heard) < self._MOST:
            heard.append(message)
        if heard and random.random() < 0.1:
            for peer in self.some(0.4):
                self.simulation.network.send(self.index, peer, self._again(random.choice(heard)))
        old = self.simulation.past_extrinsics
        if old and random.random() < 0.05:
            for peer in self.some(0.4):
                self.simulation.network.send(self.index, peer, Transactions([random.choice(old)]))

    def _again(self, message: Any) -> Any:
        if isinstance(message, Transactions) or self.simulation.random.random() < 0.5:
            return message
        changed = ConsensusMessage()
        changed.CopyFrom(message)
        if message.HasField("vote"):
            changed.vote.epoch = self.chain.epoch_change.epoch
        elif message.HasField("certificate"):
            changed.certificate.epoch = self.chain.epoch_change.epoch
        return changed


class Poisoner(Faulty):
    """Claims heights it does not have, and answers sync requests with pages that are not the chain's."""

    ways: tuple[str, ...] = (
        "claims", "nothing", "the beginning again", "without end", "another block", "a bad certificate", "a gap",
        "another body", "no justifications", "another chain",
    )  # fmt: skip

    def handshake(self) -> Any:
        """Boast."""
        said = super().handshake()
        said.final_number += self.simulation.random.choice((0, 3, 10**9))
        return said

    def serve_page(self, request: SyncRequest) -> SyncResponse:
        """Spoil the page."""
        answer = super().serve_page(request)
        random = self.simulation.random
        way = random.choice(self.ways)
        if not answer.blocks or way == "claims":
            answer.final_number += 100
        if way == "nothing":
            del answer.blocks[:], answer.closing[:]
            answer.ClearField("justification")
        elif way == "the beginning again":
            answer = super().serve_page(SyncRequest(from_number=1, max_blocks=request.max_blocks))
        elif way == "without end":
            whole = super().serve_page(SyncRequest(from_number=request.from_number))
            answer.MergeFrom(whole)
        elif answer.blocks:
            self._spoil(answer, way)
        return answer

    def _spoil(self, answer: SyncResponse, way: str) -> None:
        random, last = self.simulation.random, answer.blocks[-1]
        if way == "another block":
            last.header.timestamp_ms += 1
        elif way == "a bad certificate":
            answer.justification.certificate.signatures[0] = random.randbytes(64)
        elif way == "a gap":
            del answer.blocks[-1]
        elif way == "another body":
            answer.blocks[0].extrinsics.append(b"not there")
        elif way == "no justifications":
            del answer.closing[:]
        elif way == "another chain":
            # It has the right numbers, and is signed by whom this node is, not by a quorum.
            for block in answer.blocks:
                block.header.parent_hash = random.randbytes(32)
            certificate = answer.justification.certificate
            certificate.block_hash = header_hash(last.header)
            message = vote_message(
                self.chain.genesis_hash, certificate.epoch, certificate.view, FINALIZE, certificate.block_hash
            )
            count = len(certificate.signatures)
            del certificate.signatures[:]
            certificate.signatures.extend([KeyedHashScheme(self.account).sign(message)] * count)


class Emptier(Poisoner):
    """Claims heights and never has a page, or one that leads nowhere."""

    ways = ("nothing", "claims", "the beginning again", "without end")


class _TwoModelsWorker(Worker):
    """Signs two proposals and two ballots a round, and tells others the other one, or both."""

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        other = type(args)()
        other.CopyFrom(args)
        if isinstance(other, ModelProposeCall.Propose):
            other.weights_commitment = bytes(32)
        elif isinstance(other, VoteCall.Cast):
            turned = list(other.ranking)[::-1]
            del other.ranking[:]
            other.ranking.extend(turned)
        run = self.node.simulation
        if other != args:
            second = Transactions([self.signed(pallet, function, other, round)])
            for peer in range(len(run.nodes)):
                if peer != self.node.index and run.random.random() < 0.6:
                    run.network.send(self.node.index, peer, second)
        super().submit(pallet, function, args, round)


class TwoModels(Faulty):
    """Honest in agreement; its worker says two things of everything."""

    worker_class = _TwoModelsWorker


KINDS: tuple[type[Faulty], ...] = (
    Silent, Absent, Late, VoteWithholder, Twin, DoubleVoter, ConflictingFinalizer, EquivocatingProposer, TwoFaced,
    StaleReplayer, Poisoner, Emptier, TwoModels,
)  # fmt: skip

"""Validators that do what they like with their own key, and only with that."""

from __future__ import annotations

from collections.abc import Iterable

from node.consensus import types as t
from node.consensus.certificates import CertificateBook, Justification
from node.consensus.core import Core
from pocl.v1.consensus_pb2 import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    Certificate,
    ConsensusMessage,
    Proposal,
    Vote,
)
from runtime.blocks import header_hash
from runtime.certificates import proposal_message, vote_message
from tests.simulation.consensus.nodes import HonestNode
from tests.simulation.consensus.toy_chain import GENESIS_HASH, INVALID, KeyedHashScheme


class Silent(HonestNode):
    """Never says anything."""

    def start(self) -> None:
        """Do nothing."""


class Late(HonestNode):
    """Follows the rules, but each message goes late, or to some only, or not at all."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Send to a random part of the others, each with a delay of its own."""
        random = self.simulation.random
        for peer in range(len(self.simulation.nodes)):
            if peer != self.index and random.random() < 0.6:
                self.simulation.network.send(self.index, peer, message, random.choice((0, 50, 400, 1500)))

    def send(self, peer: int, message: ConsensusMessage) -> None:
        """Do not help anybody."""

    def report(self, action: t.Blame | t.Offence | t.Halt) -> None:
        """Nobody listens."""


class _ForkingBook(CertificateBook):
    """Builds as low as its certificates allow."""

    def justify(self, view: int) -> Justification | None:
        """Prefer to skip a view whenever it was nullified."""
        nullifications: list[Certificate] = []
        for below in range(view - 1, 0, -1):
            nullification, branch = self.get(below, NULLIFY), self.branch(below)
            if nullification is not None:
                nullifications.append(nullification)
            elif branch is not None:
                return Justification(below, branch.block_hash, branch, tuple(reversed(nullifications)))
            else:
                return None
        return Justification(0, self._opening_hash, None, tuple(reversed(nullifications)))


class _ForkingCore(Core):
    def _begin(self, epoch: t.EpochInfo, final: t.FinalBlock) -> None:
        super()._begin(epoch, final)
        self._state.certificates.__class__ = _ForkingBook


class TwoFaced(HonestNode):
    """Proposes twice or what is invalid, forks, votes for everything, forges others' votes."""

    core_class = _ForkingCore

    def broadcast(self, message: ConsensusMessage) -> None:
        """Send proposals with two faces; the core's own votes and certificates to some."""
        random = self.simulation.random
        if message.HasField("proposal"):
            self._propose(message.proposal)
        else:
            for peer in self._some():
                self.simulation.network.send(self.index, peer, message, random.choice((0, 0, 200)))

    def receive(self, sender: int, message: ConsensusMessage) -> None:
        """Vote for whatever is proposed, and against it."""
        super().receive(sender, message)
        if message.HasField("proposal"):
            proposal = message.proposal
            block_hash = header_hash(proposal.block.header)
            for kind, voted in ((NOTARIZE, block_hash), (FINALIZE, block_hash), (NULLIFY, b"")):
                if self.simulation.random.random() < 0.7:
                    self._vote(proposal.epoch, proposal.view, kind, voted)
        elif message.HasField("vote") and self.simulation.random.random() < 0.1:
            vote = message.vote
            self._vote(vote.epoch, vote.view, vote.kind, vote.block_hash)
            self._forge(vote)

    def report(self, action: t.Blame | t.Offence | t.Halt) -> None:
        """Nobody listens."""

    def logged(self, records: tuple[ConsensusMessage, ...]) -> Iterable[ConsensusMessage]:
        """Forget everything at a crash."""
        return ()

    def _propose(self, proposal: Proposal) -> None:
        random, block = self.simulation.random, proposal.block
        first = self._sign(proposal, list(block.extrinsics))
        other = INVALID if random.random() < 0.3 else random.randbytes(4)
        second = self._sign(proposal, [*block.extrinsics, other])
        for peer in range(len(self.simulation.nodes)):
            faces = random.choice(((first,), (second,), (first, second), ()))
            if peer != self.index:
                for face in faces:
                    self.simulation.network.send(self.index, peer, ConsensusMessage(proposal=face))

    def _sign(self, proposal: Proposal, extrinsics: list[bytes]) -> Proposal:
        face = Proposal()
        face.CopyFrom(proposal)
        header = face.block.header
        if header.view == proposal.view and header.author == self.account:
            parent = self._header(header.parent_hash)
            if parent is not None:
                now = int(self.simulation.network.now) + self.simulation.random.choice((0, 0, 300, 10_000))
                face.block.CopyFrom(
                    self.simulation.chain.build(
                        parent, proposal.epoch, proposal.view, self.account, now, extrinsics
                    )
                )
        message = proposal_message(
            GENESIS_HASH, face.epoch, face.view, header_hash(face.block.header), face.parent_view
        )
        face.signature = KeyedHashScheme(self.account).sign(message)
        return face

    def _vote(self, epoch: int, view: int, kind: int, block_hash: bytes) -> None:
        index = self.simulation.chain.info(epoch, b"", 0).index(self.account)
        if index is None:
            return
        signature = KeyedHashScheme(self.account).sign(
            vote_message(GENESIS_HASH, epoch, view, kind, block_hash)
        )
        if self.simulation.random.random() < 0.1:
            signature = bytes(64)
        vote = Vote(
            epoch=epoch, view=view, kind=kind, block_hash=block_hash, validator=index, signature=signature
        )
        for peer in self._some():
            self.simulation.network.send(self.index, peer, ConsensusMessage(vote=vote))

    def _forge(self, vote: Vote) -> None:
        forged = Vote()
        forged.CopyFrom(vote)
        forged.signature = self.simulation.random.randbytes(64)
        for peer in self._some():
            self.simulation.network.send(self.index, peer, ConsensusMessage(vote=forged))

    def _some(self) -> list[int]:
        random = self.simulation.random
        return [p for p in range(len(self.simulation.nodes)) if p != self.index and random.random() < 0.6]


KINDS: tuple[type[HonestNode], ...] = (Silent, Late, TwoFaced, TwoFaced)

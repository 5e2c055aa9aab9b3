"""What validators do that take liberties with their own key, and only with that; for both kinds of simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from node.consensus import types as t
from node.consensus.certificates import CertificateBook, Justification
from node.consensus.core import Core
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, ConsensusMessage, Proposal, Vote
from runtime.blocks import header_hash
from runtime.certificates import proposal_message, vote_message
from tests.simulation.scheme import KeyedHashScheme


class ForkingBook(CertificateBook):
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


class ForkingCore(Core):
    """A core with such a book."""

    def _begin(self, epoch: t.EpochInfo, final: t.FinalBlock) -> None:
        super()._begin(epoch, final)
        self._state.certificates.__class__ = ForkingBook


class Loose:
    """Common to all; mixed into a node."""

    simulation: Any
    index: int
    account: bytes
    place: Callable[[int], int | None]

    def report(self, action: t.Blame | t.Offence | t.Halt) -> None:
        """Nobody listens."""

    def sign(self, message: bytes) -> bytes:
        """Return this validator's signature."""
        return KeyedHashScheme(self.account).sign(message)

    def some(self, part: float = 0.6) -> list[int]:
        """Return a random part of the others."""
        run = self.simulation
        return [p for p in range(len(run.nodes)) if p != self.index and run.random.random() < part]

    def vote(self, epoch: int, view: int, kind: Any, block_hash: bytes) -> None:
        """Send a vote to some; now and then one with a bad signature."""
        index = self.place(epoch)
        if index is None:
            return
        run = self.simulation
        message = vote_message(run.genesis_hash, epoch, view, kind, block_hash)
        signature = self.sign(message)
        if run.random.random() < 0.1:
            signature = bytes(64)
        vote = Vote(
            epoch=epoch, view=view, kind=kind, block_hash=block_hash, validator=index, signature=signature
        )
        for peer in self.some():
            run.network.send(self.index, peer, ConsensusMessage(vote=vote))

    def forge(self, vote: Vote) -> None:
        """Send another one's vote with a made-up signature."""
        forged = Vote()
        forged.CopyFrom(vote)
        forged.signature = self.simulation.random.randbytes(64)
        for peer in self.some():
            self.simulation.network.send(self.index, peer, ConsensusMessage(vote=forged))

    def signed(self, face: Proposal) -> Proposal:
        """Return a proposal signed anew."""
        message = proposal_message(
            self.simulation.genesis_hash,
            face.epoch,
            face.view,
            header_hash(face.block.header),
            face.parent_view,
        )
        face.signature = self.sign(message)
        return face

    def show(self, first: Proposal, second: Proposal) -> None:
        """Send each of the others one of two proposals, or both, or none."""
        run = self.simulation
        for peer in range(len(run.nodes)):
            faces = run.random.choice(((first,), (second,), (first, second), ()))
            if peer != self.index:
                for face in faces:
                    run.network.send(self.index, peer, ConsensusMessage(proposal=face))


class LateLinks(Loose):
    """Follows the rules, but each message goes late, or to some only, or not at all."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Send to a random part of the others, each with a delay of its own."""
        random = self.simulation.random
        for peer in self.some():
            self.simulation.network.send(self.index, peer, message, random.choice((0, 50, 400, 1500)))

    def send(self, peer: int, message: ConsensusMessage) -> None:
        """Do not help anybody."""


class VotesForAll(Loose):
    """Votes for whatever is proposed, and against it, and forges what it hears."""

    kinds: tuple[int, ...] = (NOTARIZE, FINALIZE, NULLIFY)

    def answer_to(self, message: ConsensusMessage) -> None:
        """Vote on what came."""
        random = self.simulation.random
        if message.HasField("proposal"):
            proposal = message.proposal
            block_hash = header_hash(proposal.block.header)
            for kind in self.kinds:
                if random.random() < 0.7:
                    voted = b"" if kind == NULLIFY else block_hash
                    self.vote(proposal.epoch, proposal.view, kind, voted)
        elif message.HasField("vote") and random.random() < 0.1:
            vote = message.vote
            self.vote(vote.epoch, vote.view, vote.kind, vote.block_hash)
            self.forge(vote)

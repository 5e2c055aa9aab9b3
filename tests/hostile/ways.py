"""Ways of a faulty validator that are no offences, and must be borne: for tests/hostile/traitor.py."""

from __future__ import annotations

from typing import Any

from pocl.v1.consensus_pb2 import NULLIFY, ConsensusMessage, Proposal
from runtime.blocks import extrinsics_root
from tests.simulation.whole.adversaries import Faulty

BULK = 3000
"""Extrinsics of a block of the BulkProposer."""


class Forger(Faulty):
    """Passes on every vote it hears a second time, in its sender's name, with a made-up signature."""

    def _receive(self, sender: int, message: Any) -> None:
        super()._receive(sender, message)
        if isinstance(message, ConsensusMessage) and message.HasField("vote"):
            self.forge(message.vote)


class GarbageVoter(Faulty):
    """Votes for blocks that nobody has, once where an honest one votes once."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Change what is voted for."""
        if message.HasField("vote") and message.vote.kind != NULLIFY:
            vote = message.vote
            self.vote(vote.epoch, vote.view, vote.kind, bytes(reversed(vote.block_hash)))
        else:
            super().broadcast(message)

    def send(self, peer: int, message: ConsensusMessage) -> None:
        """Show no true vote to anybody."""
        if not message.HasField("vote"):
            super().send(peer, message)


class InvalidProposer(Faulty):
    """Proposes a block that is not valid, each time in another way, and the same one to all."""

    def broadcast(self, message: ConsensusMessage) -> None:
        """Spoil the proposals. Votes for the true block would give it away: they are kept back."""
        if message.proposal.block.header.author == self.account:
            super().broadcast(ConsensusMessage(proposal=self._once(message.proposal)))
        elif not message.HasField("vote"):
            super().broadcast(message)

    def send(self, peer: int, message: ConsensusMessage) -> None:
        """Pass on nothing that is its own."""
        if not message.HasField("proposal") and not message.HasField("vote"):
            super().send(peer, message)

    def _once(self, proposal: Proposal) -> Proposal:
        # Two different ones in one view would be an offence.
        made: dict[tuple[int, int], Proposal] = self.__dict__.setdefault("made", {})
        place = proposal.epoch, proposal.view
        if place not in made:
            face = Proposal()
            face.CopyFrom(proposal)
            self.spoil(face)
            made[place] = self.signed(face)
        return made[place]

    def spoil(self, face: Proposal) -> None:
        """Make the block invalid."""
        header, random = face.block.header, self.simulation.random
        way = random.randrange(7)
        if way == 0:
            header.state_root = random.randbytes(32)
        elif way == 1:
            header.parent_hash = random.randbytes(32)
        elif way == 2:
            header.number += 1
        elif way == 3:
            header.timestamp_ms = 2**63
        elif way == 4:
            header.author = bytes(32)
        elif way == 5:
            header.next_epoch.epoch = header.epoch + 1
        else:
            face.block.extrinsics.append(random.randbytes(200))


class BulkProposer(InvalidProposer):
    """Proposes blocks of thousands of extrinsics whose signatures are false, with the root they have."""

    def spoil(self, face: Proposal) -> None:
        """Fill the block."""
        random = self.simulation.random
        past = random.choice(self.simulation.past_extrinsics or [bytes(150)])
        del face.block.extrinsics[:]
        face.block.extrinsics.extend(past[:-8] + random.randbytes(8) for _ in range(BULK))
        face.block.header.extrinsics_root = extrinsics_root(face.block.extrinsics)

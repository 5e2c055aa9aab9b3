"""Validators that do what they like with their own key, and only with that, over toy blocks."""

from __future__ import annotations

from collections.abc import Iterable

from pocl.v1.consensus_pb2 import ConsensusMessage, Proposal
from tests.simulation.adversaries import ForkingCore, LateLinks, VotesForAll
from tests.simulation.consensus.nodes import HonestNode
from tests.simulation.consensus.toy_chain import INVALID


class Silent(HonestNode):
    """Never says anything."""

    def start(self) -> None:
        """Do nothing."""


class Late(LateLinks, HonestNode):
    """Says everything late."""


class TwoFaced(VotesForAll, HonestNode):
    """Proposes twice or what is invalid, forks, votes for everything, forges others' votes."""

    core_class = ForkingCore

    def broadcast(self, message: ConsensusMessage) -> None:
        """Send proposals with two faces; the core's own votes and certificates to some."""
        if message.HasField("proposal"):
            proposal = message.proposal
            block = proposal.block
            other = INVALID if self.simulation.random.random() < 0.3 else self.simulation.random.randbytes(4)
            self.show(
                self._face(proposal, list(block.extrinsics)),
                self._face(proposal, [*block.extrinsics, other]),
            )
        else:
            for peer in self.some():
                delay = self.simulation.random.choice((0, 0, 200))
                self.simulation.network.send(self.index, peer, message, delay)

    def receive(self, sender: int, message: ConsensusMessage) -> None:
        """Vote for whatever is proposed, and against it."""
        super().receive(sender, message)
        self.answer_to(message)

    def logged(self, records: tuple[ConsensusMessage, ...]) -> Iterable[ConsensusMessage]:
        """Forget everything at a crash."""
        return ()

    def _face(self, proposal: Proposal, extrinsics: list[bytes]) -> Proposal:
        face = Proposal()
        face.CopyFrom(proposal)
        header = face.block.header
        parent = self._header(header.parent_hash)
        if header.view == proposal.view and header.author == self.account and parent is not None:
            now = int(self.simulation.network.now) + self.simulation.random.choice((0, 0, 300, 10_000))
            face.block.CopyFrom(
                self.simulation.chain.build(
                    parent, proposal.epoch, proposal.view, self.account, now, extrinsics
                )
            )
        return self.signed(face)


KINDS: tuple[type[HonestNode], ...] = (Silent, Late, TwoFaced, TwoFaced)

"""How a node of the simulation fetches final blocks: node/sync.py in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.chain import UnknownParent
from node.consensus import types as t
from node.sync import runs_of
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from runtime.certificates import CertificateError
from runtime.frame import InvalidBlock
from tests.simulation.whole.messages import SyncAnswered, SyncAsked

if TYPE_CHECKING:
    from tests.simulation.whole.node import WholeNode

TIMEOUT_MS = 800
MARGIN = 8
BAN_CHARGES = 10
"""Requests left without an answer, after which a peer is banned: what it once told counts no more."""


class Syncing:
    """Asks one peer after the other."""

    def __init__(self, node: WholeNode) -> None:
        self._node = node
        self._run = node.simulation
        self._sources: list[int] | None = None
        self._asked = 0

    def start(self) -> None:
        """Look from time to time whether somebody is far ahead."""
        self._node.later(1000, self._idle)

    def need(self, hint: Any = None) -> None:
        """Fetch final blocks from the peers, one after the other."""
        if self._sources is None:
            others = sorted(self._node.peers_by_index)
            self._run.random.shuffle(others)
            self._sources = sorted(others, key=lambda index: index != hint)
            self._asked += 1  # An answer that is still under way comes too late.
            self._node.later(self._run.random.uniform(1, 20), self._ask)

    def _idle(self) -> None:
        self._node.later(1000, self._idle)
        final = self._node.chain.final_number
        if any(peer.final_number > final + MARGIN for peer in self._node.peers()):
            self.need()

    def _ask(self) -> None:
        assert self._sources is not None
        if not self._sources:
            self._sources = None
            return
        self._asked += 1
        request = SyncRequest(
            from_number=self._node.chain.final_number + 1, max_blocks=self._run.random.choice((0, 2, 5))
        )
        self._run.trace(
            f"node {self._node.index} asks {self._sources[0]} for blocks from {request.from_number}"
        )
        self._run.network.send(self._node.index, self._sources[0], SyncAsked(self._asked, request))
        self._node.later(TIMEOUT_MS, self._give_up, self._asked)

    def _give_up(self, asked: int) -> None:
        if asked == self._asked and self._sources:
            peer = self._node.peers_by_index.get(self._sources.pop(0))
            if peer is not None:
                peer.charges += 1
                if peer.charges == BAN_CHARGES:
                    del self._node.peers_by_index[peer.index]
            self._ask()

    def on_answer(self, sender: int, message: SyncAnswered) -> None:
        """Take in a page."""
        if message.number == self._asked and self._sources is not None:
            self._on_page(sender, message.page)

    def _on_page(self, sender: int, answer: SyncResponse) -> None:
        assert self._sources is not None
        node = self._node
        self._run.trace(f"node {node.index} gets {len(answer.blocks)} blocks of {sender}")
        useless = not answer.blocks
        if answer.blocks and answer.blocks[0].header.number == node.chain.final_number + 1:
            try:
                for blocks, justification in runs_of(answer):
                    node.chain.import_final(blocks, justification)
            except (InvalidBlock, UnknownParent, CertificateError) as error:
                node.report(t.Blame(sender, f"blocks that are not final here: {error}"))
                useless = True
            else:
                node.post(node.executor.synced())
        if useless and self._sources:
            peer = node.peers_by_index.get(self._sources.pop(0))
            if peer is not None:
                peer.final_number = min(peer.final_number, node.chain.final_number)
        self._ask()

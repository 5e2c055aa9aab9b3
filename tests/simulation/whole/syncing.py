"""How a node of the simulation catches up: the node's own choice of peers and pages, in virtual time.

What is written here is what node/sync.py does with tasks and sockets. Pages are small, so that short chains have
many; they go over the links in their canonical encoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.consensus import types as t
from node.network.reputation import Reputation
from node.sync_core import SyncCore
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from runtime.codec import CodecError, decode, encode
from tests.simulation.whole.messages import Peer, SyncAnswered, SyncAsked

if TYPE_CHECKING:
    from tests.simulation.whole.node import WholeNode

TIMEOUT_MS = 1500
IDLE_POLL_MS = 1000
MARGIN = 8

NO_ANSWER = "no answer to a sync request"
"""What anybody may be charged for: links lose requests and answers."""


class Syncing:
    """Requests on their way, and who is banned, in one life of a node."""

    core_class: type[SyncCore[Peer]] = SyncCore

    def __init__(self, node: WholeNode) -> None:
        self._node = node
        self._run = node.simulation
        self._reputation = Reputation(self._now)
        self._core = self.core_class(
            node.chain,
            margin=MARGIN,
            imported=lambda: node.post(node.executor.synced()),
            penalize=self._penalize,
            clock=self._now,
            page_blocks=self._run.random.choice((2, 3, 5)),
        )
        self._asked: dict[int, Peer] = {}
        # An answer to an earlier life's request is none to one of this life.
        self._number = node.life << 32
        self._woken = False

    def _now(self) -> float:
        return self._run.network.now / 1000

    def start(self) -> None:
        """Keep up with the peers."""
        self._node.later(IDLE_POLL_MS, self._idle)

    def need(self, hint: int | None = None) -> None:
        """Consensus says that final blocks are missing."""
        self._core.need(None if hint is None else self._node.peers_by_index.get(hint))
        self._wake()

    def banned(self, index: int) -> bool:
        """Tell whether a peer is banned: nobody is connected with it."""
        return self._reputation.banned(str(index))

    def _idle(self) -> None:
        self._node.later(IDLE_POLL_MS, self._idle)
        self._wake()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._node.later(self._run.random.uniform(0, 5), self._step)

    def _step(self) -> None:
        self._woken = False
        for _ in self._core.import_pages():
            pass
        for peer, request in self._core.plan(self._node.peers()):
            self._number += 1
            self._asked[self._number] = peer
            self._run.trace(
                f"node {self._node.index} asks {peer.index} for blocks from {request.from_number}"
            )
            message = SyncAsked(self._number, encode(request))
            self._run.network.send(self._node.index, peer.index, message)
            self._node.later(TIMEOUT_MS, self._fail, self._number)

    def _fail(self, number: int) -> None:
        peer = self._asked.pop(number, None)
        if peer is not None:
            self._core.failed(peer)
            self._wake()

    def on_answer(self, sender: int, message: SyncAnswered) -> None:
        """Take in a page."""
        peer = self._asked.get(message.number)
        if peer is None or peer.index != sender:
            return
        # A request does not outlive its connection.
        if self._node.peers_by_index.get(sender) is not peer:
            self._fail(message.number)
            return
        try:
            answer = decode(SyncResponse, message.page)
        except CodecError:
            self._fail(message.number)
            return
        del self._asked[message.number]
        self._run.trace(f"node {self._node.index} gets {len(answer.blocks)} blocks of {sender}")
        peer.final_number = max(peer.final_number, answer.final_number)
        self._core.answered(peer, answer)
        self._wake()

    def serve(self, data: bytes) -> bytes:
        """Return the page that another one asks for."""
        return encode(self._node.serve_page(decode(SyncRequest, data)))

    def _penalize(self, peer_id: str, points: int, reason: str) -> None:
        index = int(peer_id)
        self._run.trace(f"node {self._node.index} charges {index}: {reason}")
        if reason != NO_ANSWER:
            self._node.report(t.Blame(index, reason))
        if self._reputation.charge(peer_id, points):
            self._node.peers_by_index.pop(index, None)

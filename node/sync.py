"""Catching up: final blocks in pages from the peers that have them, and announced final blocks.

Whom to ask for what, and what follows from the answers, is node/sync_core.py; what a page is, node/sync_pages.py.
Here is the sending and the waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from node.chain import Chain
from node.network import Network, Peer, RequestFailed
from node.sync_core import BAD_PAGE, SyncCore
from pocl.v1.network_pb2 import BlockAnnounce, SyncRequest
from runtime.certificates import CertificateError, verify_justification
from runtime.frame import InvalidBlock

log = logging.getLogger("pocl.sync")

IDLE_POLL_S = 1.0


class Synchronizer:
    """Follows the highest final number among the peers."""

    def __init__(self, chain: Chain, *, margin: int, imported: Callable[[], None]) -> None:
        """`margin` and `imported`: see SyncCore."""
        self._chain = chain
        self._margin = margin
        self._core: SyncCore[Peer] = SyncCore(
            chain, margin=margin, imported=imported, penalize=self._penalize, clock=trio.current_time
        )
        self._network: Network | None = None
        self._changed = trio.Event()
        self.syncing = False
        """Whether blocks are being fetched."""

    def attach(self, network: Network) -> None:
        """Say which network to use; before `run`."""
        self._network = network

    def need(self, peer: Peer | None = None) -> None:
        """Consensus says that final blocks are missing here; `peer` seems to have them."""
        self._core.need(peer)
        self._changed.set()

    def on_announce(self, peer: Peer, announce: BlockAnnounce) -> bool:
        """Take in an announced final block; tell whether it is valid and new, so that others should hear of it."""
        number = announce.block.header.number
        if number <= self._chain.final_number:
            ours = self._chain.database.header(number)
            if ours is not None and ours != announce.block.header:
                self._penalize(peer.peer_id, BAD_PAGE, f"another block {number} than the final one")
            return False
        if number != self._chain.final_number + 1:
            self._changed.set()
            return False
        if self._margin:
            # This validator gets the block from consensus, if it is one.
            self._check(peer.peer_id, announce)
            return False
        return self._core.import_final(peer.peer_id, [announce.block], announce.justification)

    async def run(self) -> None:
        """Keep up with the peers until cancelled."""
        assert self._network is not None
        async with trio.open_nursery() as nursery:
            while True:
                self._changed = trio.Event()
                for _ in self._core.import_pages():
                    # Many blocks in a row must not keep the rest of the node waiting.
                    await trio.lowlevel.checkpoint()
                for peer, request in self._core.plan(self._network.peers()):
                    nursery.start_soon(self._fetch, peer, request)
                self.syncing = self._core.syncing
                with trio.move_on_after(IDLE_POLL_S):
                    await self._changed.wait()

    async def _fetch(self, peer: Peer, request: SyncRequest) -> None:
        """Fetch one page."""
        assert self._network is not None
        try:
            answer = await self._network.request_sync(peer.peer_id, request)
        except RequestFailed as error:
            log.info("peer %s gave no blocks: %s", peer.name or peer.peer_id, error)
            self._core.failed(peer)
        else:
            self._core.answered(peer, answer)
        self._changed.set()

    def _check(self, peer_id: str, announce: BlockAnnounce) -> None:
        """Charge the peer unless the announced block is final after the last final one here."""
        header, chain = announce.block.header, self._chain
        try:
            if header.parent_hash != chain.final_hash:
                raise InvalidBlock("it does not follow the last final block")
            validators = chain.epoch_change.validators
            verify_justification(header, announce.justification, validators, chain.genesis_hash)
        except (InvalidBlock, CertificateError) as error:
            self._penalize(peer_id, BAD_PAGE, f"an announced block that is not final: {error}")

    def _penalize(self, peer_id: str, points: int, reason: str) -> None:
        assert self._network is not None
        self._network.penalize(peer_id, points, reason)

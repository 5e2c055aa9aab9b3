"""Catching up: final blocks in pages from peers that have them, and the answers to those who ask us.

A page is consecutive final blocks of one epoch and the justification of its last block, which is one with a
certificate of its own. It never crosses an epoch's closing block: the next epoch's validators are known only once
that block is proven final. A peer whose page is wrong, empty or unanswered is charged and the next one is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from node.chain import Chain, UnknownParent
from node.network import Network, Peer, RequestFailed
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import BlockAnnounce, SyncRequest, SyncResponse
from runtime.certificates import CertificateError, verify_justification
from runtime.frame import InvalidBlock

log = logging.getLogger("pocl.sync")

PAGE_BLOCKS = 256
PAGE_BYTES = 4 * 2**20
MAX_PAGE_BYTES = 7 * 2**20
"""A page goes on to the next block that has its own certificate, but not beyond this."""

IDLE_POLL_S = 1.0

_BAD_PAGE = 50
_NO_ANSWER = 10


def page(chain: Chain, request: SyncRequest) -> SyncResponse:
    """Return the page of final blocks that a request asks for; without blocks when there are none."""
    final = chain.final_number
    answer = SyncResponse(final_number=final)
    most_blocks = min(request.max_blocks or PAGE_BLOCKS, PAGE_BLOCKS)
    most_bytes = min(request.max_bytes or PAGE_BYTES, PAGE_BYTES)
    size, whole = 0, 0
    for number in range(max(request.from_number, 1), final + 1):
        block, justification = chain.final_block(number), chain.justification(number)
        if block is None or justification is None:
            break
        size += block.ByteSize()
        if size > MAX_PAGE_BYTES or (whole and (size > most_bytes or len(answer.blocks) >= most_blocks)):
            break
        answer.blocks.append(block)
        if not justification.descendants:
            whole = len(answer.blocks)
            answer.justification.CopyFrom(justification)
        if block.header.HasField("next_epoch"):
            break
    del answer.blocks[whole:]
    return answer


class Synchronizer:
    """Follows the highest final number among the peers."""

    def __init__(self, chain: Chain, *, margin: int, imported: Callable[[], None]) -> None:
        """`margin`: how far behind a peer this node may be before it fetches blocks by itself. A validator in
        step gets its blocks from consensus. `imported` is called after every page."""
        self._chain = chain
        self._margin = margin
        self._imported = imported
        self._network: Network | None = None
        self._wanted = trio.Event()
        self._needed = False
        self._hint: Peer | None = None
        self.syncing = False
        """Whether blocks are being fetched."""

    def attach(self, network: Network) -> None:
        """Say which network to use; before `run`."""
        self._network = network

    def need(self, peer: Peer | None = None) -> None:
        """Consensus says that final blocks are missing here; `peer` seems to have them."""
        self._needed = True
        self._hint = peer or self._hint
        self._wanted.set()

    def on_announce(self, peer: Peer, announce: BlockAnnounce) -> bool:
        """Take in an announced final block; tell whether it is valid and new, so that others should hear of it."""
        number = announce.block.header.number
        if number <= self._chain.final_number:
            ours = self._chain.database.header(number)
            if ours is not None and ours != announce.block.header:
                self._refuse(peer.peer_id, f"another block {number} than the final one")
            return False
        if number != self._chain.final_number + 1:
            self._wanted.set()
            return False
        if self._margin:
            # This validator gets the block from consensus, if it is one.
            self._check(peer.peer_id, announce)
            return False
        return self._import(peer.peer_id, [announce.block], announce.justification)

    async def run(self) -> None:
        """Keep up with the peers until cancelled."""
        while True:
            with trio.move_on_after(IDLE_POLL_S):
                await self._wanted.wait()
            self._wanted = trio.Event()
            needed, self._needed = self._needed, False
            try:
                while await self._fetch(needed):
                    needed = True
            finally:
                self.syncing = False

    def _sources(self, needed: bool) -> list[Peer]:
        """Return whom to ask for the next page, the most promising first.

        What a peer last told of its height can be old: validators hear of blocks through consensus and not
        through announcements. So when consensus misses blocks, everybody is asked.
        """
        assert self._network is not None
        least = self._chain.final_number + (0 if needed else self._margin)
        hint, self._hint = self._hint, None
        peers = [peer for peer in self._network.peers() if needed or peer.final_number > least]
        # Anybody may claim any height, or hint, and keep who asks waiting: of the validators only f will.
        validators = self._chain.epoch_change.validators
        return sorted(
            peers, key=lambda peer: (peer.validator not in validators, peer is not hint, -peer.final_number)
        )

    async def _fetch(self, needed: bool) -> bool:
        """Fetch one page; return whether there may be more."""
        assert self._network is not None
        mine = self._chain.final_number
        for peer in self._sources(needed):
            told = peer.final_number
            self.syncing = True
            request = SyncRequest(from_number=mine + 1, max_blocks=PAGE_BLOCKS, max_bytes=PAGE_BYTES)
            try:
                answer = await self._network.request_sync(peer.peer_id, request)
            except RequestFailed as error:
                log.info("peer %s gave no blocks: %s", peer.name or peer.peer_id, error)
                self._network.penalize(peer.peer_id, _NO_ANSWER, "no answer to a sync request")
                continue
            if self._chain.final_number != mine:
                return True  # Consensus was faster: ask anew from where we are.
            if not answer.blocks:
                if max(told, answer.final_number) > mine:
                    self._network.penalize(peer.peer_id, _NO_ANSWER, "no page below the final number it told")
                continue
            if self._import(peer.peer_id, list(answer.blocks), answer.justification):
                return True
        return False

    def _check(self, peer_id: str, announce: BlockAnnounce) -> None:
        """Charge the peer unless the announced block is final after the last final one here."""
        header, chain = announce.block.header, self._chain
        try:
            if header.parent_hash != chain.final_hash:
                raise InvalidBlock("it does not follow the last final block")
            validators = chain.epoch_change.validators
            verify_justification(header, announce.justification, validators, chain.genesis_hash)
        except (InvalidBlock, CertificateError) as error:
            self._refuse(peer_id, f"an announced block that is not final: {error}")

    def _refuse(self, peer_id: str, reason: str) -> None:
        assert self._network is not None
        self._network.penalize(peer_id, _BAD_PAGE, reason)

    def _import(self, peer_id: str, blocks: list[Block], justification: Justification) -> bool:
        assert self._network is not None
        try:
            self._chain.import_final(blocks, justification)
        except (InvalidBlock, UnknownParent, CertificateError) as error:
            self._network.penalize(peer_id, _BAD_PAGE, f"blocks that are not final here: {error}")
            return False
        self._imported()
        return True

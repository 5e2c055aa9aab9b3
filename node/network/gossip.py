"""What goes over the notification streams: encoding, canonical checks, duplicates, relaying.

Duplicates: a peer is not sent what it is known to have. An announcement is handled once for each exact frame
(two nodes may have different certificates of one block, so the first one does not shadow the others), and not
at all once its block was found valid. A transaction is handled once in 30 s, so that one that the pool could
not take gets another chance.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import trio

from node.network.decoding import decode_bounded
from node.network.frames import encode_frame
from node.network.seen import SeenCache
from node.network.session import BLOCKS, CONSENSUS, TRANSACTIONS, Session, Violation
from node.network.types import Handlers, Peer
from pocl.hashing import hash256
from pocl.v1.consensus_pb2 import ConsensusMessage
from pocl.v1.network_pb2 import BlockAnnounce, TransactionBatch
from runtime.codec import CodecError, encode

M = TypeVar("M", ConsensusMessage, BlockAnnounce, TransactionBatch)

logger = logging.getLogger(__name__)

MAX_BATCH = 1024
"""Extrinsics in one frame."""

_SLICE = 16
"""Extrinsics handed on at a time: the rest of the node goes on between."""

_BATCH_BYTES = 512 * 1024
_SEEN_TRANSACTIONS, _TRANSACTION_S = 65536, 30.0
_SEEN_BLOCKS, _BLOCK_S = 4096, 600.0


class Gossip:
    """Sends to and hears from the sessions that `sessions()` lists."""

    def __init__(self, handlers: Handlers, sessions: Callable[[], list[Session]]) -> None:
        self._handlers = handlers
        self._sessions = sessions
        self._transactions = SeenCache(_SEEN_TRANSACTIONS, _TRANSACTION_S, trio.current_time)
        self._frames: dict[bytes, tuple[bytes, int]] = {}
        """Announcements heard: hash of the frame → key and number of its block; the newest _SEEN_BLOCKS."""

        self._blocks = SeenCache(_SEEN_BLOCKS, _BLOCK_S, trio.current_time)

    def broadcast_consensus(self, data: bytes) -> None:
        """Queue a message for every peer, encoded once."""
        frame = _checked(CONSENSUS.max_frame, data)
        for session in self._sessions():
            session.send(CONSENSUS, frame)

    def send_consensus(self, session: Session, data: bytes) -> None:
        """Queue a message for one peer."""
        session.send(CONSENSUS, _checked(CONSENSUS.max_frame, data))

    def on_consensus(self, peer: Peer, data: bytes) -> None:
        """Hand on a message. Raise Violation when it is not canonical."""
        message = _decoded(ConsensusMessage, data)
        if message.WhichOneof("message") is None:
            raise Violation("a consensus message of no kind")
        try:
            self._handlers.on_consensus(peer, message)
        except Exception:
            logger.exception("handling a consensus message of peer %s", peer.peer_id)

    def announce_block(self, data: bytes) -> None:
        """Queue an announcement of this node's own for every peer that does not have the block."""
        announce = _decoded(BlockAnnounce, data)
        self._relay(_block_key(announce), _checked(BLOCKS.max_frame, data))

    def on_announce(self, session: Session, peer: Peer, data: bytes) -> None:
        """Handle an announcement, and relay it when its block is new and valid."""
        digest = hash256("pocl/seen/1", data)
        heard = self._frames.get(digest)
        if heard is None:
            announce = _decoded(BlockAnnounce, data)
            if not announce.block.HasField("header"):
                raise Violation("an announcement without a block")
            self._frames[digest] = key, number = _block_key(announce), announce.block.header.number
            if len(self._frames) > _SEEN_BLOCKS:
                del self._frames[next(iter(self._frames))]
        else:
            key, number = heard
        session.known.add(key)
        peer.final_number = max(peer.final_number, number)
        if heard is not None or key in self._blocks:
            return
        try:
            relay = self._handlers.on_announce(peer, announce)
        except Exception:
            logger.exception("handling a block announcement of peer %s", peer.peer_id)
            return
        if relay:
            self._relay(key, encode_frame(data))

    def broadcast_transactions(self, extrinsics: list[bytes]) -> None:
        """Queue extrinsics for every peer not known to have them; equal batches are encoded once."""
        named = [(hash256("pocl/seen/1", data), data) for data in extrinsics]
        for digest, _ in named:
            self._transactions.add(digest)
        encoded: dict[tuple[bytes, ...], list[bytes]] = {}
        for session in self._sessions():
            news = [(digest, data) for digest, data in named if session.known.add(digest)]
            key = tuple(digest for digest, _ in news)
            if key not in encoded:
                encoded[key] = _batches([data for _, data in news])
            for frame in encoded[key]:
                session.send(TRANSACTIONS, frame)

    async def on_transactions(self, session: Session, peer: Peer, data: bytes) -> None:
        """Hand on those extrinsics of a batch that were not seen lately, as long as the peer is one."""
        extrinsics = _decoded(TransactionBatch, data).extrinsics
        if not 0 < len(extrinsics) <= MAX_BATCH:
            raise Violation(f"a batch of {len(extrinsics)} transactions")
        news = []
        for extrinsic in extrinsics:
            digest = hash256("pocl/seen/1", extrinsic)
            session.known.add(digest)
            if self._transactions.add(digest):
                news.append(extrinsic)
        for start in range(0, len(news), _SLICE):
            if session.over:
                return
            try:
                self._handlers.on_transactions(peer, news[start : start + _SLICE])
            except Exception:
                logger.exception("handling transactions of peer %s", peer.peer_id)
            await trio.lowlevel.checkpoint()

    def _relay(self, key: bytes, frame: bytes) -> None:
        if not self._blocks.add(key):
            return
        for session in self._sessions():
            if session.known.add(key):
                session.send(BLOCKS, frame)


def _decoded(cls: type[M], data: bytes) -> M:
    try:
        return decode_bounded(cls, data)
    except CodecError as error:
        raise Violation(str(error)) from None


def _checked(max_frame: int, data: bytes) -> bytes:
    # Peers would disconnect: better to fail where the message was made.
    if len(data) > max_frame:
        raise ValueError(f"a message of {len(data)} bytes, peers take at most {max_frame}")
    return encode_frame(data)


def _block_key(announce: BlockAnnounce) -> bytes:
    return hash256("pocl/seen/1", encode(announce.block.header))


def _batches(extrinsics: list[bytes]) -> list[bytes]:
    """Return frames of TransactionBatch within the bounds of count and bytes."""
    batches: list[list[bytes]] = [[]]
    size = 0
    for extrinsic in extrinsics:
        if batches[-1] and (size + len(extrinsic) > _BATCH_BYTES or len(batches[-1]) == MAX_BATCH):
            batches.append([])
            size = 0
        batches[-1].append(extrinsic)
        size += len(extrinsic)
    return [encode_frame(encode(TransactionBatch(extrinsics=batch))) for batch in batches if batch]

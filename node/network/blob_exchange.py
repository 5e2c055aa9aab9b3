"""Pulling blobs from peers and giving them (/blobs/1).

A pull asks for whole chunks at growing offsets, up to 1 MiB a request. The answer to offset 0 carries the
hash of every chunk; that list and the size must hash to the blob's name, and then each chunk is checked when
it arrives, so a peer can waste one request of this node and no more. What is already here is kept when the
next peer goes on. A peer that gives less than an answer in `_SLOW_S` goes on beside the next one: who keeps
this node waiting, the holder first of all, must not keep it from those who have the blob as well. A name
stands for one size, so a blob that is larger than the caller allows is given up after the first answer, and
that is no fault of the peer.

A blob that this node may not give away yet, or does not have, is answered with found = false.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import trio

from node.blobs import BlobMeta, BlobStore, check_chunks, check_pull
from node.network.decoding import decode_bounded
from node.network.reputation import MALFORMED
from node.network.session import Session, Violation
from node.network.types import RequestFailed
from pocl.hashing import BLOB_CHUNK, HASH_SIZE
from pocl.v1.network_pb2 import BlobRequest, BlobResponse
from runtime.codec import CodecError, encode

logger = logging.getLogger(__name__)

BLOBS = "blobs"
MAX_REQUEST_BYTES = 128
MAX_ANSWER = 2**20
"""Bytes of chunks in one answer."""

_FETCHES = 40
"""Blobs fetched at a time: more than a worker asks for at once, so that those nobody gives hold up no other."""

_REQUEST_S = 20.0
_SLOW_S = 0.5
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 2.0


async def answer_blob(
    data: bytes, blobs: BlobStore, may_serve: Callable[[BlobMeta], bool], limiter: trio.CapacityLimiter
) -> bytes:
    """Return the answer to a BlobRequest. Raise Violation for a malformed one."""
    try:
        request = decode_bounded(BlobRequest, data)
    except CodecError as error:
        raise Violation(str(error)) from None
    if len(request.hash) != HASH_SIZE or request.offset % BLOB_CHUNK:
        raise Violation("a request for no blob, or for no chunk of one")
    meta = blobs.stat(request.hash)
    if meta is None or not may_serve(meta):
        return encode(BlobResponse())
    wanted = min(request.max_bytes, MAX_ANSWER)
    read = await trio.to_thread.run_sync(
        blobs.read_chunk, request.hash, request.offset, wanted, limiter=limiter
    )
    if read is None:
        return encode(BlobResponse())
    hashes = meta.chunk_hashes if request.offset == 0 else ()
    return encode(BlobResponse(found=True, size=meta.size, data=read, chunk_hashes=hashes))


@dataclass
class _Pull:
    """One blob on its way here."""

    name: bytes
    max_bytes: int
    max_hashes: int
    too_large: bool = False
    size: int = -1
    hashes: list[bytes] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    offset: int = 0
    changed: trio.Event = field(default_factory=trio.Event)
    """Set when one of the peers is done with it, whatever came of it."""

    @property
    def done(self) -> bool:
        return self.offset == self.size

    @property
    def over(self) -> bool:
        return self.done or self.too_large

    def fork(self) -> _Pull:
        """Return a pull that goes on from here with one peer."""
        return replace(self, hashes=list(self.hashes), parts=list(self.parts), changed=trio.Event())

    def join(self, other: _Pull) -> None:
        """Take over what a fork has got, if that is more."""
        if (other.too_large, other.size >= 0, other.offset) > (self.too_large, self.size >= 0, self.offset):
            self.too_large, self.size, self.hashes = other.too_large, other.size, other.hashes
            self.parts, self.offset = other.parts, other.offset
        self.changed.set()

    @property
    def max_answer(self) -> int:
        return MAX_ANSWER + 1024 + (self.max_hashes * (HASH_SIZE + 2) if self.size < 0 else 0)

    def take(self, answer: BlobResponse) -> str | None:
        """Use one answer. Return what is wrong with it."""
        if self.size < 0:
            hashes = list(answer.chunk_hashes)
            problem = check_pull(self.name, answer.size, hashes)
            if problem is not None:
                return problem
            if answer.size > self.max_bytes:
                self.too_large = True
                return None
            self.size, self.hashes = answer.size, hashes
        if answer.size != self.size or (self.size == 0 and answer.data):
            return "it says another size than before"
        if self.size and not check_chunks(self.hashes, self.size, self.offset, answer.data):
            return "a chunk does not have its hash"
        self.parts.append(answer.data)
        self.offset += len(answer.data)
        return None


class BlobFetcher:
    """Fetches blobs from the sessions that `sessions(holder)` lists, the best first."""

    def __init__(
        self,
        sessions: Callable[[bytes | None], list[Session]],
        charge: Callable[[str, int, str], None],
        max_bytes: int,
    ) -> None:
        """No blob of this chain is larger than `max_bytes`."""
        self._sessions = sessions
        self._charge = charge
        self._max_bytes = max_bytes
        self._limit = trio.CapacityLimiter(_FETCHES)

    async def fetch(
        self, name: bytes, max_bytes: int, holder: bytes | None, timeout_s: float
    ) -> bytes | None:
        """Return a blob's verified bytes, None when no peer gave them in time or they are too many.

        Peers without the blob are asked again, at growing intervals: it may be on its way to them, or its
        round may not yet be where they may give it.
        """
        pull = _Pull(name, min(max_bytes, self._max_bytes), -(-self._max_bytes // BLOB_CHUNK))
        with trio.move_on_after(timeout_s):
            async with self._limit:
                await self._pull(pull, holder)
        if not pull.done:
            return None
        return await trio.to_thread.run_sync(b"".join, pull.parts)

    async def _pull(self, pull: _Pull, holder: bytes | None) -> None:
        """Ask one peer after the other, again and again, until the pull is over."""
        busy: set[Session] = set()
        pause = _FIRST_PAUSE_S
        async with trio.open_nursery() as nursery:
            while True:
                for session in self._sessions(holder):
                    if not pull.over and session not in busy:
                        fork = pull.fork()
                        nursery.start_soon(self._ask, pull, fork, session, busy)
                        await _until_slow(fork)
                if pull.over:
                    break
                pull.changed = trio.Event()
                with trio.move_on_after(pause):
                    await pull.changed.wait()
                pause = min(_MAX_PAUSE_S, pause * 1.6)
            nursery.cancel_scope.cancel()

    async def _ask(self, pull: _Pull, fork: _Pull, session: Session, busy: set[Session]) -> None:
        busy.add(session)
        try:
            await self._pull_from(fork, session)
        except RequestFailed as error:
            logger.debug("blob %s: %s", pull.name.hex(), error)
        busy.discard(session)
        pull.join(fork)
        fork.changed.set()

    async def _pull_from(self, pull: _Pull, session: Session) -> None:
        while not pull.over:
            request = BlobRequest(hash=pull.name, offset=pull.offset, max_bytes=MAX_ANSWER)
            data = await session.request(BLOBS, encode(request), pull.max_answer, _REQUEST_S)
            try:
                answer = decode_bounded(BlobResponse, data)
            except CodecError as error:
                self._charge(session.link.peer_id, MALFORMED, f"its answer to a blob request: {error}")
                return
            if not answer.found:
                return
            problem = pull.take(answer)
            if problem is not None:
                self._charge(session.link.peer_id, MALFORMED, f"a blob that it gave: {problem}")
                return


async def _until_slow(fork: _Pull) -> None:
    """Return when a peer is done, or has given less than a full answer in `_SLOW_S`."""
    while True:
        before = fork.offset
        with trio.move_on_after(_SLOW_S):
            await fork.changed.wait()
        if fork.changed.is_set() or fork.offset < before + MAX_ANSWER:
            return


def holder_first(sessions: list[Session], holder: Session | None) -> list[Session]:
    """Return the sessions in the order to ask: the holder, then the others in any order."""
    others = [session for session in sessions if session is not holder]
    random.shuffle(others)
    return [holder, *others] if holder is not None else others

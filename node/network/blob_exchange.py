"""Pulling blobs from peers and giving them (/blobs/1).

A pull asks for whole chunks at growing offsets, up to 1 MiB a request. The answer to offset 0 carries the
hash of every chunk; that list and the size must hash to the blob's name, and then each chunk is checked when
it arrives, so a peer can waste one request of this node and no more. What is already here is kept when the
next peer goes on. A name stands for one size, so a blob that is larger than the caller allows is given up
after the first answer, and that is no fault of the peer.

A blob that this node may not give away yet, or does not have, is answered with found = false.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from node.blobs import BlobMeta, BlobStore, check_chunks, check_pull
from node.network.reputation import MALFORMED
from node.network.session import Session, Violation
from node.network.types import RequestFailed
from pocl.hashing import BLOB_CHUNK, HASH_SIZE
from pocl.v1.network_pb2 import BlobRequest, BlobResponse
from runtime.codec import CodecError, decode, encode

logger = logging.getLogger(__name__)

BLOBS = "blobs"
MAX_REQUEST_BYTES = 128
SERVE_TIMEOUT_S = 30.0
MAX_ANSWER = 2**20
"""Bytes of chunks in one answer."""

_FETCHES = 4
_REQUEST_S = 20.0
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 2.0


async def answer_blob(
    data: bytes, blobs: BlobStore, may_serve: Callable[[BlobMeta], bool], limiter: trio.CapacityLimiter
) -> bytes:
    """Return the answer to a BlobRequest. Raise Violation for a malformed one."""
    try:
        request = decode(BlobRequest, data)
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

    @property
    def done(self) -> bool:
        return self.offset == self.size

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
                pause = _FIRST_PAUSE_S
                while not await self._round(pull, holder):
                    await trio.sleep(pause)
                    pause = min(_MAX_PAUSE_S, pause * 1.6)
        if not pull.done:
            return None
        return await trio.to_thread.run_sync(b"".join, pull.parts)

    async def _round(self, pull: _Pull, holder: bytes | None) -> bool:
        for session in self._sessions(holder):
            try:
                await self._pull_from(pull, session)
            except RequestFailed as error:
                logger.debug("blob %s: %s", pull.name.hex(), error)
            if pull.done or pull.too_large:
                return True
        return False

    async def _pull_from(self, pull: _Pull, session: Session) -> None:
        while not pull.done and not pull.too_large:
            request = BlobRequest(hash=pull.name, offset=pull.offset, max_bytes=MAX_ANSWER)
            data = await session.request(BLOBS, encode(request), pull.max_answer, _REQUEST_S)
            try:
                answer = decode(BlobResponse, data)
            except CodecError as error:
                self._charge(session.link.peer_id, MALFORMED, f"its answer to a blob request: {error}")
                return
            if not answer.found:
                return
            problem = pull.take(answer)
            if problem is not None:
                self._charge(session.link.peer_id, MALFORMED, f"a blob that it gave: {problem}")
                return


def holder_first(sessions: list[Session], holder: Session | None) -> list[Session]:
    """Return the sessions in the order to ask: the holder, then the others in any order."""
    others = [session for session in sessions if session is not holder]
    random.shuffle(others)
    return [holder, *others] if holder is not None else others

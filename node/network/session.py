"""One connection to one peer, from its handshakes to its end.

Per subject there are two streams, one opened by each side, on which only the opener sends frames. (One
stream for both directions would need an agreement on who opens it, which two peers that dial each other at
once do not have.) The opener sends its Handshake, gets the other's as the answer, and frames follow. When all
three of this node's own streams are open the session asks to be admitted; frames of the peer are read from
then on.

Received frames are handled the moment they are read, by handlers that do not wait, so no queue of them builds
up; frames to send wait in an Outbox for each subject. A session has one end: whatever breaks, anywhere,
closes the connection, and the dialler makes a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import trio

from node.network.frames import EMPTY, FrameError, FrameReader, StreamEnd, encode_frame
from node.network.handshake import MAX_HANDSHAKE_BYTES, HandshakeError, WrongChain
from node.network.link import Link, LinkError, Stream
from node.network.outbox import Outbox
from node.network.seen import SeenCache
from node.network.types import Peer, RequestFailed
from pocl.v1.network_pb2 import Handshake

logger = logging.getLogger(__name__)

ESTABLISH_S = 15.0
MAX_REQUESTS = 8
"""Requests of one peer that are answered at a time; more wait, as far as its streams go (host.MAX_STREAMS)."""

MAX_SIGNS_OF_LIFE = 100
"""Empty frames of one tick; an honest peer sends one in five ticks."""

STALLED_TICKS = 60
"""Three times the silence allowed: a frame that has not come whole by then is not meant to."""

_STRANGERS_SHARE = 8
"""A stranger's queue of consensus is that much shorter than a validator's: nobody votes with what waits in it."""

_KNOWN, _KNOWN_S = 8192, 120.0


@dataclass(frozen=True)
class Subject:
    """One notification protocol and its bounds: bytes of a frame, frames and bytes that may wait."""

    name: str
    max_frame: int
    max_frames: int
    max_bytes: int
    drop_oldest: bool


CONSENSUS = Subject("consensus", 8 * 2**20, 8192, 64 * 2**20, False)
BLOCKS = Subject("blocks", 8 * 2**20, 64, 32 * 2**20, True)
TRANSACTIONS = Subject("transactions", 2**20, 256, 8 * 2**20, True)
SUBJECTS = (CONSENSUS, BLOCKS, TRANSACTIONS)


class Violation(Exception):
    """The peer did what no honest node does."""


class Owner(Protocol):
    """What a session needs of the network that it is part of."""

    silence_s: float

    def protocol(self, name: str) -> str:
        """Return the protocol id of a subject or request."""

    def handshake_for(self, peer_id: str) -> bytes:
        """Return this node's handshake for a peer."""

    def check(self, peer_id: str, data: bytes) -> Handshake:
        """Return a peer's handshake, checked. Raise HandshakeError."""

    def admit(self, session: Session) -> str | None:
        """Make the session a peer, or say why not (and whether the peer is at fault)."""

    async def on_frame(self, session: Session, subject: Subject, data: bytes) -> None:
        """Handle a frame, when it is the peer's turn. Raise Violation for a bad one."""

    def charge(self, session: Session, reason: str) -> None:
        """A violation happened; the session is ending."""


class Session:
    """One connection. `peer` is None until both sides' handshakes are done."""

    def __init__(self, link: Link, owner: Owner) -> None:
        self.link = link
        self.peer: Peer | None = None
        self.claim: Handshake | None = None
        """The newest checked handshake of the peer."""

        self.known = SeenCache(_KNOWN, _KNOWN_S, trio.current_time)
        """Hashes of blocks and transactions that the peer has: it sent them, or they were sent to it."""

        self.settled = trio.Event()
        """Set when the session is admitted or over: `peer` and `over` tell which."""

        self.asked_at = 0.0
        """trio.current_time() when it was last asked for other peers and the time."""

        self.at_fault = False
        """Whether the peer had better not be dialled again at once."""

        self._owner = owner
        self._outboxes = {
            subject: Outbox(subject.max_frames, subject.max_bytes, drop_oldest=subject.drop_oldest)
            for subject in SUBJECTS
        }
        self._own_streams: list[Stream] = []
        self._inbound: dict[Subject, FrameReader] = {}
        self._serving = trio.CapacityLimiter(MAX_REQUESTS)
        self._silent_ticks = 0
        self._signs_of_life = 0
        self._last_sent = trio.current_time()

    @property
    def over(self) -> bool:
        """Whether the connection is closed."""
        return self.link.dropped.is_set()

    @property
    def held(self) -> int:
        """Bytes received and not used yet: unread ones, and frames that have not come whole."""
        return self.link.buffered + sum(frames.held for frames in self._inbound.values())

    def waiting(self) -> list[bytes]:
        """Return the frames that wait to be sent. Many sessions may hold the same ones."""
        return [frame for outbox in self._outboxes.values() for frame in outbox.frames]

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the frames that wait to be sent."""
        return sum(outbox.waiting_bytes for outbox in self._outboxes.values())

    def restrict(self) -> None:
        """Keep less for this peer: it is no validator of the set."""
        bounds = CONSENSUS.max_frames // _STRANGERS_SHARE, CONSENSUS.max_bytes // _STRANGERS_SHARE
        self._outboxes[CONSENSUS].restrict(*bounds)

    def send(self, subject: Subject, frame: bytes) -> None:
        """Queue an encoded frame. A queue that overflows and may not drop ends the session."""
        if not self._outboxes[subject].put(frame):
            self.end(f"it does not keep up with {subject.name}")

    def end(self, reason: str, *, fault: bool = False) -> None:
        """Close the connection."""
        if not self.over:
            level = logging.INFO if self.peer is not None else logging.DEBUG
            logger.log(level, "peer %s: disconnected: %s", self.link.peer_id, reason)
            self.at_fault |= fault
            self.link.drop()
        self.settled.set()

    async def run(self) -> None:
        """Open this node's streams and keep the session up until its connection ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._guarded, self._establish, nursery)
            nursery.start_soon(self._watch)
            await self.link.dropped.wait()
            nursery.cancel_scope.cancel()
        self.settled.set()

    async def serve_subject(self, subject: Subject, stream: Stream) -> None:
        """Handle a stream that the peer opened for a subject, until the end of the session."""

        async def serve() -> None:
            if subject in self._inbound:
                raise Violation(f"a second stream for {subject.name}")
            frames = self._inbound[subject] = stream.frames(subject.max_frame)
            self._heard(await self._read_handshake(frames))
            await stream.write(encode_frame(self._owner.handshake_for(self.link.peer_id)))
            await self.settled.wait()
            while not self.over:
                data = await frames.next()
                self._silent_ticks = 0
                if not data:
                    self._signs_of_life += 1
                    if self._signs_of_life > MAX_SIGNS_OF_LIFE:
                        raise Violation("it says all the time that it is alive")
                else:
                    await self._owner.on_frame(self, subject, data)
                    await trio.lowlevel.checkpoint()

        await self._guarded(serve)

    async def serve_request(
        self,
        stream: Stream,
        max_bytes: int,
        timeout_s: float,
        answer: Callable[[bytes], Awaitable[bytes]],
        places: trio.CapacityLimiter | None = None,
    ) -> None:
        """Answer one request: one frame each way. An answer takes one of `places` until it is written."""
        await self.settled.wait()
        if self.over:
            return

        async def serve() -> None:
            with trio.move_on_after(timeout_s):
                request = await stream.frames(max_bytes).next()
                async with places or nullcontext():
                    await stream.write(encode_frame(await answer(request)))
                await stream.close()
                return
            logger.debug("peer %s: a request took more than %s s", self.link.peer_id, timeout_s)
            await stream.reset()

        try:
            async with self._serving:
                await serve()
        except (LinkError, StreamEnd, RequestFailed) as error:
            logger.debug("peer %s: a request failed: %s", self.link.peer_id, error)
            await stream.reset()
        except (FrameError, Violation) as error:
            self._violate(str(error))
        except Exception:
            logger.exception("answering a request of peer %s", self.link.peer_id)
            await stream.reset()

    async def request(self, name: str, data: bytes, max_bytes: int, timeout_s: float) -> bytes:
        """Send one request and return the answer. Raise RequestFailed."""
        try:
            with trio.fail_after(timeout_s):
                stream = await self.link.open_stream(self._owner.protocol(name))
                try:
                    await stream.write(encode_frame(data))
                    answer = await stream.frames(max_bytes).next()
                except BaseException:
                    await stream.reset()
                    raise
                await stream.close()
                return answer
        except trio.TooSlowError:
            raise RequestFailed(f"peer {self.link.peer_id}: no answer within {timeout_s:g} s") from None
        except FrameError as error:
            self._violate(str(error))
            raise RequestFailed(f"peer {self.link.peer_id}: {error}") from None
        except (LinkError, StreamEnd) as error:
            raise RequestFailed(f"peer {self.link.peer_id}: {error or 'it gave no answer'}") from None

    async def _establish(self, nursery: trio.Nursery) -> None:
        opened: dict[Subject, tuple[Stream, FrameReader]] = {}

        async def open_one(subject: Subject) -> None:
            stream = await self.link.open_stream(self._owner.protocol(subject.name))
            self._own_streams.append(stream)
            frames = stream.frames(MAX_HANDSHAKE_BYTES)
            await stream.write(encode_frame(self._owner.handshake_for(self.link.peer_id)))
            self._heard(await self._read_handshake(frames))
            opened[subject] = (stream, frames)

        async with trio.open_nursery() as opening:
            for subject in SUBJECTS:
                opening.start_soon(self._guarded, open_one, subject)
        if self.over:
            return
        refused = self._owner.admit(self)
        if refused is not None:
            self.end(refused)
            return
        self.settled.set()
        for subject, (stream, frames) in opened.items():
            nursery.start_soon(self._guarded, self._write, subject, stream)
            nursery.start_soon(self._guarded, self._expect_end, frames)

    async def _write(self, subject: Subject, stream: Stream) -> None:
        outbox = self._outboxes[subject]
        while True:
            await stream.write(await outbox.take())
            if subject is CONSENSUS:
                self._last_sent = trio.current_time()

    async def _expect_end(self, frames: FrameReader) -> None:
        await frames.next()
        raise Violation("a frame on a stream that is not its own")

    async def _read_handshake(self, frames: FrameReader) -> Handshake:
        data = await frames.next(MAX_HANDSHAKE_BYTES)
        self._silent_ticks = 0
        return self._owner.check(self.link.peer_id, data)

    def _heard(self, handshake: Handshake) -> None:
        claim = self.claim
        if claim is not None and (claim.role, claim.validator) != (handshake.role, handshake.validator):
            raise HandshakeError("its handshakes contradict each other")
        self.claim = handshake

    async def _watch(self) -> None:
        """End a session whose peer is silent, stuck or swamping. Time is counted in ticks, so that a pause of
        this very process (a suspended laptop) is one tick, and not every peer's silence."""
        tick_s = self._owner.silence_s / 20
        age = stuck = 0
        partial: dict[Subject, int] = {}
        pending: float | None = None
        while True:
            await trio.sleep(tick_s)
            age += 1
            self._silent_ticks += 1
            self._signs_of_life = 0
            writes = [
                stream.writing_since for stream in self._own_streams if stream.writing_since is not None
            ]
            oldest = min(writes, default=None)
            stuck = stuck + 1 if oldest is not None and oldest == pending else 0
            pending = oldest
            for subject, frames in self._inbound.items():
                partial[subject] = partial.get(subject, 0) + 1 if frames.unfinished else 0
            if not self.settled.is_set() and age * tick_s > ESTABLISH_S:
                self.end("no handshake in time", fault=True)
            elif self._silent_ticks > 20:
                self.end("not heard of for too long")
            elif stuck > 20:
                self.end("it takes nothing any more")
            elif max(partial.values(), default=0) > STALLED_TICKS:
                self.end("it does not finish a frame", fault=True)
            elif self.peer is not None and trio.current_time() - self._last_sent > 5 * tick_s:
                self._last_sent = trio.current_time()
                self.send(CONSENSUS, EMPTY)

    async def _guarded(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a part of the session. Whatever it raises ends the session and goes no further."""
        try:
            await work(*args)
        except LinkError as error:
            self.end(str(error))
        except StreamEnd:
            self.end("it ended a stream")
        except WrongChain as error:
            self.end(f"another chain: {error}", fault=True)
        except (FrameError, HandshakeError, Violation) as error:
            self._violate(str(error))
        except Exception as error:
            logger.exception("in the session with peer %s", self.link.peer_id)
            self.end(f"an error of this node: {error}")

    def _violate(self, reason: str) -> None:
        if not self.over:
            self._owner.charge(self, reason)
            self.end(reason, fault=True)

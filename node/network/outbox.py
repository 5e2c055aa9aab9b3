"""Frames that wait for one stream of one peer, bounded in number and bytes."""

from __future__ import annotations

from collections import deque

import trio

_MAX_WRITE = 2**20


class Outbox:
    """A queue of encoded frames. `put` never waits.

    When a frame does not fit, a queue with `drop_oldest` forgets its oldest frames (transactions and blocks:
    they come again by other ways); one without says so, and the caller gives up the peer (consensus: a peer
    that misses a frame in the middle is worse off than one that connects anew).
    """

    def __init__(self, max_frames: int, max_bytes: int, *, drop_oldest: bool) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._drop_oldest = drop_oldest
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._filled = trio.Event()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> deque[bytes]:
        """The frames that wait, the oldest first."""
        return self._frames

    @property
    def waiting_bytes(self) -> int:
        """How many bytes wait."""
        return self._bytes

    def restrict(self, max_frames: int, max_bytes: int) -> None:
        """Keep less from now on; one frame may be larger than all that may wait."""
        self._max_frames, self._max_bytes = max_frames, max_bytes

    def put(self, frame: bytes) -> bool:
        """Queue a frame. Return False when the queue overflowed and does not drop."""
        self._frames.append(frame)
        self._bytes += len(frame)
        self._filled.set()
        while len(self._frames) > 1 and (
            len(self._frames) > self._max_frames or self._bytes > self._max_bytes
        ):
            if not self._drop_oldest:
                return False
            self._bytes -= len(self._frames.popleft())
        return True

    async def take(self) -> bytes:
        """Wait for frames and return all that are there in one piece, up to 1 MiB (or one larger frame)."""
        while not self._frames:
            self._filled = trio.Event()
            await self._filled.wait()
        batch = [self._frames.popleft()]
        size = len(batch[0])
        while self._frames and size + len(self._frames[0]) <= _MAX_WRITE:
            batch.append(self._frames.popleft())
            size += len(batch[-1])
        self._bytes -= size
        return b"".join(batch)

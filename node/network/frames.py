"""Frames: u32be(length) || bytes. An empty frame says only that the sender is alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

_LENGTH = 4
_READ = 2**16

EMPTY = bytes(_LENGTH)
"""The encoding of the empty frame."""


class FrameError(Exception):
    """A peer announced a frame above its bound, or ended inside one."""


class StreamEnd(Exception):
    """The other side ended the stream between two frames."""


def encode_frame(data: bytes) -> bytes:
    """Return the frame that carries `data`."""
    return len(data).to_bytes(_LENGTH, "big") + data


class FrameReader:
    """Reads frames of at most `max_bytes` from `read`, which returns some bytes, or none at the stream's end.

    The length is checked before anything of the frame is waited for, so a peer cannot make this node keep
    more than a frame and one read.
    """

    def __init__(self, read: Callable[[int], Awaitable[bytes]], max_bytes: int) -> None:
        self._read = read
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._taken = self._seen = 0

    @property
    def unfinished(self) -> bool:
        """Whether the frame that is waited for now is the one that was at the last look, and has begun."""
        same, self._seen = self._seen == self._taken, self._taken
        return same and bool(self._buffer)

    @property
    def held(self) -> int:
        """Bytes of a frame that has not come whole yet."""
        return len(self._buffer)

    async def next(self, max_bytes: int | None = None) -> bytes:
        """Return the next frame's bytes; `max_bytes` is a tighter bound for this one frame.

        Raise StreamEnd at an orderly end, FrameError for an oversized or cut frame.
        """
        while len(self._buffer) < _LENGTH:
            await self._fill()
        length = int.from_bytes(self._buffer[:_LENGTH], "big")
        bound = self._max_bytes if max_bytes is None else max_bytes
        if length > bound:
            raise FrameError(f"a frame of {length} bytes, at most {bound} are allowed")
        while len(self._buffer) < _LENGTH + length:
            await self._fill()
        frame = bytes(self._buffer[_LENGTH : _LENGTH + length])
        del self._buffer[: _LENGTH + length]
        self._taken += 1
        return frame

    async def _fill(self) -> None:
        data = await self._read(_READ)
        if data:
            self._buffer += data
        elif self._buffer:
            raise FrameError("the stream ended inside a frame")
        else:
            raise StreamEnd

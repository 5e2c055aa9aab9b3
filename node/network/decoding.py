"""Decoding what peers send, with a bound on what it takes up once it is decoded.

Two bytes on the wire are an empty message inside a message, and some hundred bytes here: a frame of 8 MiB of them
would take 400 MiB and seconds. So the fields of a large message are counted first, which costs next to nothing for
an honest one: a page of small extrinsics, the richest there is, has about 50,000.
"""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import Message

from runtime.codec import CodecError, decode

M = TypeVar("M", bound=Message)

MAX_FIELDS = 2**16
"""Fields of one message, those of the messages inside it included."""

_SMALL = 2**16
"""Bytes that cannot hold enough fields to matter."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def decode_bounded(cls: type[M], data: bytes) -> M:
    """Return the message of canonical bytes with at most MAX_FIELDS fields. Raise CodecError for any other."""
    if len(data) > _SMALL:
        _count(cls.DESCRIPTOR, data)
    return decode(cls, data)


def _count(descriptor: Any, data: bytes) -> None:
    """Walk the fields of a message, one after the other, as deep as there are messages in it."""
    fields = 0
    at, end = 0, len(data)
    above: list[tuple[int, Any]] = []
    while True:
        while at == end:
            if not above:
                return
            end, descriptor = above.pop()
        fields += 1
        if fields > MAX_FIELDS:
            raise CodecError(f"more than {MAX_FIELDS} fields in one message")
        key, at = _varint(data, at, end)
        kind = key & 7
        if kind == _BYTES:
            length, at = _varint(data, at, end)
            if length > end - at:
                raise CodecError(f"a field of {descriptor.full_name} ends beyond its message")
            field = descriptor.fields_by_number.get(key >> 3)
            if field is None or field.message_type is None:
                at += length
            else:
                above.append((end, descriptor))
                end, descriptor = at + length, field.message_type
        elif kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
            if at > end:
                raise CodecError(f"a field of {descriptor.full_name} ends beyond its message")
        else:
            raise CodecError(f"a field of {descriptor.full_name} of the unknown wire type {kind}")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number that starts at a place, and the place after it."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise CodecError("a number that does not end")

"""The canonical encoding: of all the protobuf encodings of a message, the one that consensus accepts.

Bytes are canonical when parsing them, discarding unknown fields and serialising deterministically gives the
same bytes back. That refuses what protobuf readers tolerate: unknown fields, fields out of order or twice,
defaults written out, long varints, a merged oneof. What it cannot see is refused as well:
- enum values that the descriptor does not know (proto3 enums are open and would survive the round trip);
- classes with maps, floats, groups or extensions: no message of consensus has them.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)

_FLOATS = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT)


class CodecError(ValueError):
    """Bytes are not the canonical encoding of the message that was expected."""


def encode(message: Message) -> bytes:
    """Return the canonical encoding of a message that was made here.

    Raise CodecError for a class that has none, and for unknown enum values. Unknown fields cannot be set by
    code; a message that came as bytes must come through `decode`.
    """
    descriptor = message.DESCRIPTOR
    _require_canonical_class(descriptor)
    if _has_enums(descriptor):
        _check_enums(message)
    return message.SerializeToString(deterministic=True)


def decode(cls: type[M], data: bytes) -> M:
    """Return the message of canonical bytes. Raise CodecError for any other bytes."""
    descriptor = cls.DESCRIPTOR
    _require_canonical_class(descriptor)
    try:
        message = cls.FromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise CodecError(f"not a {descriptor.full_name}: {error or 'malformed bytes'}") from None
    message.DiscardUnknownFields()  # type: ignore[attr-defined]  # missing in the stubs
    if message.SerializeToString(deterministic=True) != data:
        raise CodecError(
            f"not the canonical encoding of {descriptor.full_name}: leave out unknown fields and defaults, "
            "write fields once and in the order of their numbers"
        )
    if _has_enums(descriptor):
        _check_enums(message)
    return message


@cache
def _require_canonical_class(descriptor: Descriptor) -> None:
    """Raise CodecError when a field of the class, or of one inside it, has no canonical form."""
    for inner in _closure(descriptor):
        if inner.is_extendable:
            raise CodecError(f"{inner.full_name} has extensions: it has no canonical encoding")
        for field in inner.fields:
            entry = field.message_type
            if field.type in _FLOATS:
                kind = "a float"
            elif field.type == FieldDescriptor.TYPE_GROUP:
                kind = "a group"
            elif entry is not None and entry.GetOptions().map_entry:
                kind = "a map"
            else:
                continue
            raise CodecError(f"{inner.full_name}.{field.name} is {kind}: it has no canonical encoding")


@cache
def _has_enums(descriptor: Descriptor) -> bool:
    return any(field.enum_type is not None for inner in _closure(descriptor) for field in inner.fields)


def _closure(descriptor: Descriptor) -> list[Descriptor]:
    """Return the class and every message class reachable from its fields."""
    found = {descriptor.full_name: descriptor}
    pending = [descriptor]
    while pending:
        for field in pending.pop().fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in found:
                found[inner.full_name] = inner
                pending.append(inner)
    return list(found.values())


def _check_enums(message: Message) -> None:
    """Raise CodecError when an enum field, at any depth, holds a number that its descriptor does not name."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else (value,)
        if field.enum_type is not None:
            for number in values:
                if number not in field.enum_type.values_by_number:
                    raise CodecError(
                        f"{message.DESCRIPTOR.full_name}.{field.name}: {number} is not a value of "
                        f"{field.enum_type.full_name}"
                    )
        elif field.message_type is not None and _has_enums(field.message_type):
            for inner in values:
                _check_enums(inner)

"""Messages as plain values for JSON and people: amounts as numbers in text, accounts as addresses, other
bytes as hex.

On the wire an amount is 16 bytes and an account 32, and so are salts and hashes; the name of a field tells
which it is. The names below are those of this chain's protocol; a field of another name is shown as
hexadecimal.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from pocl.extrinsics import U128_SIZE
from pocl.keys import PUBLIC_SIZE, ss58_encode

AMOUNTS = frozenset({"amount", "free", "reserved", "fee", "tip", "emission", "bond", "slash"})
ACCOUNTS = frozenset(
    (
        *("account", "attester", "attesters", "auditor", "author", "counted_owners", "dest", "expected"),
        *("false_tags", "late_authors", "leader", "leaders", "miner", "miners"),
        *("miners_awaited", "offender", "owner"),
        *("provisional", "reporter"),
        *("screened_out", "sender", "signer", "validator", "validators", "who", "winner", "winners"),
    )
)

_SAFE = 2**53


def plain(value: Any, name: str = "", *, full: bool = False) -> Any:
    """Return a message, list or scalar as JSON-friendly values; `name` is the field it stands in.

    Messages become dictionaries with the fields that are set; with `full` also those that have their default
    value, except absent messages. Integers above 2^53 become text, since many JSON readers cannot hold them.
    """
    if isinstance(value, Message):
        return {
            field.name: _field(value, field, full)
            for field in value.DESCRIPTOR.fields
            if _shown(value, field, full)
        }
    if isinstance(value, (bytes, bytearray)):
        return _bytes(bytes(value), name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE:
        return str(value)
    return value


def _shown(message: Message, field: FieldDescriptor, full: bool) -> bool:
    if field.is_repeated:
        return full or len(getattr(message, field.name)) > 0
    if field.has_presence:
        return message.HasField(field.name)
    return full or getattr(message, field.name) != field.default_value


def _field(message: Message, field: FieldDescriptor, full: bool) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_single(field, item, full) for item in value]
    return _single(field, value, full)


def _single(field: FieldDescriptor, value: Any, full: bool) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    return plain(value, field.name, full=full)


def _bytes(data: bytes, name: str) -> str:
    if name in AMOUNTS and len(data) == U128_SIZE:
        return str(int.from_bytes(data, "big"))
    if name in ACCOUNTS and len(data) == PUBLIC_SIZE:
        return ss58_encode(data)
    return "0x" + data.hex()

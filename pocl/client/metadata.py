"""Calls, storage, events and constants of a chain, from the metadata its nodes serve.

Messages are made dynamically from `Metadata.file_descriptor_set`: no generated class of this chain's pallets
is needed. Fixed-size values are integers (u32, u64, u128), bool and bytes (account, hash, bytes); accounts
may be given as SS58 addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from pocl.client.errors import ClientError
from pocl.extrinsics import ExtrinsicError, u128
from pocl.keys import PUBLIC_SIZE, AddressError, ss58_decode
from pocl.v1.block_pb2 import EventRecord
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.metadata_pb2 import ConstantMetadata, Metadata, PalletMetadata, StorageMetadata

V = TypeVar("V")

_INTEGERS = {"u32": 4, "u64": 8, "u128": 16}
_SIZES = {**_INTEGERS, "account": 32, "hash": 32, "bool": 1}


@dataclass(frozen=True)
class Event:
    """A decoded event. `message` is a dynamic message with the event's fields."""

    pallet: str
    name: str
    phase: str
    """INITIALIZE, APPLY_EXTRINSIC or FINALIZE."""
    extrinsic_index: int | None
    message: Message


class Schema:
    """What a chain's metadata says, ready for use."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(metadata.file_descriptor_set).file:
            self._pool.Add(file)  # type: ignore[no-untyped-call]
        self._pallets = {pallet.name: pallet for pallet in metadata.pallets}

    def pallet(self, name: str) -> PalletMetadata:
        """Return a pallet's metadata."""
        return _find("pallet", name, self._pallets)

    def item(self, pallet: str, name: str) -> StorageMetadata:
        """Return a storage item's metadata."""
        return _find(
            f"storage item in pallet {pallet}",
            name,
            {item.name: item for item in self.pallet(pallet).storage},
        )

    def call(self, pallet: str, function: str, args: Mapping[str, Any]) -> Call:
        """Return a call. Arguments are the fields of the function's message; see `fill` for what they may be."""
        calls = {call.name: call for call in self.pallet(pallet).calls}
        info = _find(f"call in pallet {pallet}", function, calls)
        message = self.message(info.args)
        fill(message, args)
        return Call(pallet=pallet, function=function, args=message.SerializeToString(deterministic=True))

    def arguments(self, call: Call) -> Message:
        """Return the decoded arguments of a call."""
        calls = {known.name: known for known in self.pallet(call.pallet).calls}
        info = _find(f"call in pallet {call.pallet}", call.function, calls)
        return self._parse(info.args, call.args)

    def key(self, pallet: str, name: str, *parts: Any) -> bytes:
        """Return the storage key of an entry; with fewer parts than the item has, a prefix of keys."""
        item = self.item(pallet, name)
        if len(parts) > len(item.keys):
            raise _bad(f"{pallet}.{name} has {len(item.keys)} key parts, not {len(parts)}")
        return item.prefix + b"".join(
            encode_part(kind, part) for kind, part in zip(item.keys, parts, strict=False)
        )

    def key_parts(self, pallet: str, name: str, key: bytes) -> tuple[Any, ...]:
        """Return the parts of an entry's storage key."""
        item = self.item(pallet, name)
        rest, parts = key[len(item.prefix) :], []
        for kind in item.keys:
            parts.append(self._value(kind, rest[: _SIZES[kind]]))
            rest = rest[_SIZES[kind] :]
        return tuple(parts)

    def value(self, pallet: str, name: str, data: bytes | None) -> Any:
        """Return the decoded value of an entry; of an absent one (None) its default, or None."""
        item = self.item(pallet, name)
        if data is None:
            return self._value(item.value, item.default) if item.has_default else None
        return self._value(item.value, data)

    def constant(self, pallet: str, name: str) -> Any:
        """Return the value of a constant."""
        constants: dict[str, ConstantMetadata] = {c.name: c for c in self.pallet(pallet).constants}
        constant = _find(f"constant in pallet {pallet}", name, constants)
        return self._value(constant.type, constant.value)

    def event(self, record: EventRecord) -> Event:
        """Return a decoded event."""
        events = {event.name: event for event in self.pallet(record.pallet).events}
        info = _find(f"event in pallet {record.pallet}", record.name, events)
        applied = record.phase == EventRecord.APPLY_EXTRINSIC
        return Event(
            pallet=record.pallet,
            name=record.name,
            phase=EventRecord.Phase.Name(record.phase),
            extrinsic_index=record.extrinsic_index if applied else None,
            message=self._parse(info.message, record.data),
        )

    def message(self, full_name: str) -> Message:
        """Return a new message of that name."""
        try:
            descriptor = self._pool.FindMessageTypeByName(full_name)  # type: ignore[no-untyped-call]
        except KeyError:
            raise _bad(f"the metadata does not describe the message {full_name}") from None
        return message_factory.GetMessageClass(descriptor)()

    def _value(self, kind: str, data: bytes) -> Any:
        if kind in _INTEGERS:
            return int.from_bytes(data, "big")
        if kind == "bool":
            return data != b"\0"
        if kind in ("bytes", "account", "hash"):
            return data
        return self._parse(kind, data)

    def _parse(self, full_name: str, data: bytes) -> Message:
        message = self.message(full_name)
        try:
            message.ParseFromString(data)
        except DecodeError:
            raise ClientError("INTERNAL", f"what the node sent is no {full_name}") from None
        return message


def encode_part(kind: str, part: Any) -> bytes:
    """Return one part of a storage key. Raise ClientError when it cannot be one of that kind."""
    size = _SIZES.get(kind, 0)
    if kind in _INTEGERS:
        try:
            return int(part).to_bytes(size, "big")
        except (ValueError, TypeError, OverflowError):
            raise _bad(f"key part {part!r} is not a {kind}") from None
    data = account(part) if kind == "account" else _bytes(part, "key part")
    if len(data) != size:
        raise _bad(f"key part {part!r} has {len(data)} bytes: a {kind} has {size}")
    return data


def account(value: str | bytes) -> bytes:
    """Return an account's 32 bytes from them, an SS58 address or 0x hexadecimal. Raise ClientError."""
    if isinstance(value, str) and not value.startswith("0x"):
        try:
            return ss58_decode(value)
        except AddressError as error:
            raise _bad(str(error)) from None
    data = _bytes(value, "account")
    if len(data) != PUBLIC_SIZE:
        raise _bad(f"an account has {PUBLIC_SIZE} bytes, not {len(data)}")
    return data


def fill(message: Message, values: Mapping[str, Any]) -> None:
    """Set a message's fields from plain values.

    Bytes may be bytes, 0x hexadecimal, an SS58 address, or an int, which is a u128. Nested messages are
    mappings, repeated fields are sequences. Raise ClientError for unknown fields and values that do not fit.
    """
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        field = _find(f"field of {message.DESCRIPTOR.full_name}", name, fields)
        try:
            _set(message, field, value)
        except (TypeError, ValueError, ExtrinsicError) as error:
            raise _bad(f"{message.DESCRIPTOR.full_name}.{name} is {value!r}: {error}") from None


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    if field.message_type is not None:
        nested = getattr(message, field.name)
        if field.is_repeated:
            for item in value:
                fill(nested.add(), item)
        else:
            nested.SetInParent()
            fill(nested, value)
    elif field.is_repeated:
        getattr(message, field.name).extend(_scalar(field, item) for item in value)
    else:
        setattr(message, field.name, _scalar(field, value))


def _scalar(field: FieldDescriptor, value: Any) -> Any:
    if field.type != FieldDescriptor.TYPE_BYTES:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return u128(value)
    if isinstance(value, str) and not value.startswith("0x"):
        return account(value)
    return _bytes(value, field.name)


def _bytes(value: Any, what: str) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise _bad(f"{what} {value!r} is not bytes: write 0x and hexadecimal digits") from None


def _find(what: str, name: str, known: Mapping[str, V]) -> V:
    if name not in known:
        raise _bad(f"no {what} is called {name!r}: there are {', '.join(sorted(known)) or 'none'}")
    return known[name]


def _bad(message: str) -> ClientError:
    return ClientError("INVALID_ARGUMENT", message)

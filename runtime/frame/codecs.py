"""Typed codecs of storage keys and values. Keys have a fixed size, so that a key never needs a separator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from google.protobuf.message import Message as ProtoMessage

from runtime.codec import encode

T = TypeVar("T")
M = TypeVar("M", bound=ProtoMessage)


class Codec(ABC, Generic[T]):
    """How a value of type T becomes bytes. `name` is what the metadata calls it; `size` is None when it varies."""

    name: str
    size: int | None = None
    appendable = False
    """Whether the bytes of two values, one after the other, are those of a value with what both hold."""

    @abstractmethod
    def encode(self, value: T) -> bytes:
        """Return the bytes of `value`; raise ValueError when it does not fit."""

    @abstractmethod
    def decode(self, data: bytes) -> T:
        """Return the value of `data`, which `encode` made."""


class Unsigned(Codec[int]):
    """An unsigned integer, big-endian, so that keys iterate in numeric order."""

    def __init__(self, bits: int) -> None:
        self.name = f"u{bits}"
        self.size = bits // 8

    def encode(self, value: int) -> bytes:
        assert self.size is not None
        try:
            return value.to_bytes(self.size, "big")
        except OverflowError as error:
            raise ValueError(f"{value} does not fit in {self.name}") from error

    def decode(self, data: bytes) -> int:
        return int.from_bytes(data, "big")


class FixedBytes(Codec[bytes]):
    """Exactly `size` bytes."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def encode(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise ValueError(f"{self.name} needs {self.size} bytes, not {len(value)}")
        return value

    def decode(self, data: bytes) -> bytes:
        return data


class VarBytes(Codec[bytes]):
    """Any bytes; values only."""

    name = "bytes"

    def encode(self, value: bytes) -> bytes:
        return value

    def decode(self, data: bytes) -> bytes:
        return data


class Boolean(Codec[bool]):
    """One byte, 0 or 1."""

    name = "bool"
    size = 1

    def encode(self, value: bool) -> bytes:
        return b"\x01" if value else b"\x00"

    def decode(self, data: bytes) -> bool:
        return data != b"\x00"


class Message(Codec[M]):
    """A protobuf message in canonical encoding. Decoding gives a fresh object: put it back after a change."""

    def __init__(self, cls: type[M]) -> None:
        self.cls = cls
        self.name = cls.DESCRIPTOR.full_name

    def encode(self, value: M) -> bytes:
        return encode(value)

    def decode(self, data: bytes) -> M:
        # The runtime itself wrote these bytes canonically, so no check is due.
        return self.cls.FromString(data)


class Repeated(Message[M]):
    """A message whose one field is repeated: entries can be appended to it without decoding it."""

    appendable = True

    def __init__(self, cls: type[M]) -> None:
        super().__init__(cls)
        fields = cls.DESCRIPTOR.fields
        # Numbers would be packed into one run of bytes.
        if len(fields) != 1 or not fields[0].is_repeated or fields[0].is_packed:
            raise TypeError(f"{self.name} cannot be appended to: it needs one field, repeated and not packed")


U32: Codec[int] = Unsigned(32)
U64: Codec[int] = Unsigned(64)
U128: Codec[int] = Unsigned(128)
AccountId: Codec[bytes] = FixedBytes("account", 32)
Hash: Codec[bytes] = FixedBytes("hash", 32)
Bytes: Codec[bytes] = VarBytes()
Bool: Codec[bool] = Boolean()

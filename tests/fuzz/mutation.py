"""Examples that are nearly right: valid bytes, texts, JSON values and messages, changed in a few places."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

_INTERESTING = [0, 1, 2, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds after up to four changes; now and then bytes without any sense."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 32, len(data)]))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "repeat", "splice", "number", "end"]))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at : at + length]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "repeat":
            data[at:at] = data[at : at + min(length, 64)] * draw(st.sampled_from([1, 2, 50]))
        elif kind == "splice":
            data[at:] = draw(st.sampled_from(seeds))[at:]
        elif kind == "number":
            number = draw(st.sampled_from(_INTERESTING))
            order = draw(st.sampled_from(["big", "little"]))
            size = max(1, -(-number.bit_length() // 8))
            data[at : at + size] = number.to_bytes(size, "big" if order == "big" else "little")
        elif kind == "end":
            del data[at:]
    return bytes(data)


def texts(seeds: Sequence[str], alphabet: str) -> st.SearchStrategy[str]:
    """Return texts that are one of the seeds with changes, or made of an alphabet, or of anything."""
    changed = mutated([seed.encode() for seed in seeds]).map(lambda data: data.decode("utf-8", "replace"))
    return st.one_of(changed, changed, st.text(alphabet, max_size=120), st.text(max_size=40))


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        st.text(max_size=12),
        st.sampled_from(["", "0", "-1", "0x", "1e9", 2**128, 10**40, -1, 0.5]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def json_values(draw: st.DrawFn, seeds: Sequence[Any]) -> Any:
    """Return a JSON value with up to three parts replaced, removed, added or moved."""
    value = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        holders = list(_holders(value))
        if not holders:
            return draw(_JSON)
        holder = draw(st.sampled_from(holders))
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        kind = draw(st.sampled_from(["replace", "replace", "remove", "add", "twice"]))
        if kind == "add" and isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(_JSON)
        elif not keys:
            continue
        elif kind == "remove":
            del holder[draw(st.sampled_from(keys))]
        elif kind == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[draw(st.sampled_from(keys))]))
        else:
            holder[draw(st.sampled_from(keys))] = draw(_JSON)
    return value


def _holders(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value] if isinstance(value, dict | list) and value else []
    return own + [holder for item in inner for holder in _holders(item)]


@st.composite
def messages(draw: st.DrawFn, cls: type[Message], depth: int = 3) -> Message:
    """Return a message of a class with any of its fields set to anything."""
    message = cls()
    for field in cls.DESCRIPTOR.fields:
        if draw(st.booleans()):
            _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None:
        if depth == 0:
            return
        inner = messages(type(_inner(message, field)), depth - 1)
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(inner, max_size=2)))
        else:
            getattr(message, field.name).CopyFrom(draw(inner))
    elif field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(_scalar(field), max_size=3)))
    else:
        setattr(message, field.name, draw(_scalar(field)))


def _inner(message: Message, field: FieldDescriptor) -> Message:
    made = type(message)()
    place = getattr(made, field.name)
    inner: Message = place.add() if field.is_repeated else place
    return inner


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kinds: dict[int, Callable[[], st.SearchStrategy[Any]]] = {
        FieldDescriptor.CPPTYPE_UINT64: lambda: st.sampled_from([0, 1, 7, 2**32, 2**64 - 1]),
        FieldDescriptor.CPPTYPE_UINT32: lambda: st.sampled_from([0, 1, 7, 2**32 - 1]),
        FieldDescriptor.CPPTYPE_INT64: lambda: st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]),
        FieldDescriptor.CPPTYPE_INT32: lambda: st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]),
        FieldDescriptor.CPPTYPE_BOOL: st.booleans,
        FieldDescriptor.CPPTYPE_DOUBLE: lambda: st.floats(allow_nan=False),
        FieldDescriptor.CPPTYPE_FLOAT: lambda: st.just(0.5),
        FieldDescriptor.CPPTYPE_ENUM: lambda: st.sampled_from(sorted(field.enum_type.values_by_number)),
    }
    if field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        return kinds[field.cpp_type]()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.one_of(st.sampled_from([b"", b"\0", bytes(32), bytes(64)]), st.binary(max_size=8))
    return st.text(max_size=8)

"""Canonical protobuf: one encoding, everything else refused."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, struct_pb2, wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st

from pocl.v1.block_pb2 import Block, BlockEvents, EpochChange, EventRecord, Header
from pocl.v1.extrinsic_pb2 import Call, Extrinsic, Payload
from pocl.v1.round_pb2 import RoundSummary
from runtime.codec import CodecError, decode, encode

U64 = st.integers(0, 2**64 - 1)
CALLS = st.builds(Call, pallet=st.text(max_size=5), function=st.text(max_size=5), args=st.binary(max_size=9))
PAYLOADS = st.builds(
    lambda call, sequence, tip, valid_until: Payload(call=call, tip=tip, valid_until=valid_until, **sequence),
    CALLS,
    st.one_of(st.just({}), st.builds(lambda n: {"nonce": n}, U64), st.builds(lambda n: {"round": n}, U64)),
    st.binary(max_size=16),
    U64,
)
HEADERS = st.builds(
    Header,
    parent_hash=st.binary(max_size=4),
    number=U64,
    timestamp_ms=U64,
    next_epoch=st.none() | st.builds(EpochChange, epoch=U64, validators=st.lists(st.binary(max_size=3))),
)
EVENTS = st.builds(
    EventRecord, phase=st.sampled_from(list(EventRecord.Phase.values())), data=st.binary(max_size=9)
)
MESSAGES = st.one_of(
    PAYLOADS,
    HEADERS,
    st.builds(Block, header=HEADERS, extrinsics=st.lists(st.binary(max_size=5), max_size=3)),
    st.builds(BlockEvents, events=st.lists(EVENTS, max_size=3)),
)


def varint(number: int, padding: int = 0) -> bytes:
    """Return a varint; `padding` adds that many bytes that change nothing."""
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127)
    groups += [0] * padding
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])


def field(number: int, value: int | bytes, padding: int = 0) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value, padding)
    return varint(number << 3 | 2) + varint(len(value), padding) + value


@given(MESSAGES)
def test_encoding_round_trips(message: Any) -> None:
    data = encode(message)
    assert decode(type(message), data) == message
    assert encode(decode(type(message), data)) == data


@given(MESSAGES, st.integers(100, 1000), U64 | st.binary(max_size=4))
def test_unknown_fields_are_refused(message: Any, number: int, value: int | bytes) -> None:
    with pytest.raises(CodecError):
        decode(type(message), encode(message) + field(number, value))
    with pytest.raises(CodecError):
        decode(type(message), field(number, value) + encode(message))


@given(PAYLOADS, st.integers(100, 1000), U64)
def test_unknown_fields_are_refused_at_any_depth(payload: Payload, number: int, value: int) -> None:
    call = encode(payload.call) + field(number, value)
    payload.ClearField("call")
    with pytest.raises(CodecError, match="canonical"):
        decode(Payload, field(1, call) + encode(payload))


@given(MESSAGES)
def test_repeating_a_message_is_refused(message: Any) -> None:
    """Concatenation merges in protobuf. Only lists may grow by it: their doubled bytes are a longer list."""
    data = encode(message)
    try:
        doubled = decode(type(message), data * 2)
    except CodecError:
        return
    assert encode(doubled) == data * 2
    assert not data or isinstance(message, BlockEvents) or encode(message) == b""


@given(MESSAGES, st.data())
def test_no_two_byte_strings_decode_to_the_same_message(message: Any, data: st.DataObject) -> None:
    encoded = bytearray(encode(message))
    place = data.draw(st.integers(0, len(encoded)))
    kind = data.draw(st.sampled_from(["set", "insert", "delete"]))
    byte = data.draw(st.integers(0, 255))
    if kind == "insert" or place == len(encoded):
        encoded.insert(place, byte)
    elif kind == "set":
        encoded[place] = byte
    else:
        del encoded[place]
    try:
        other = decode(type(message), bytes(encoded))
    except CodecError:
        return
    assert encode(other) == bytes(encoded)
    assert (other == message) == (bytes(encoded) == encode(message))


@given(U64, U64, st.integers(1, 3))
def test_mutations_that_protobuf_readers_tolerate_are_refused(first: int, second: int, padding: int) -> None:
    number, view = field(2, first or 1), field(4, second or 1)
    assert decode(Header, number + view) == Header(number=first or 1, view=second or 1)
    for mutation in (
        view + number,  # order
        number + number,  # twice
        number + field(4, 0),  # a default written out
        field(1, b"") + number,  # the same for bytes
        varint(2 << 3, padding) + varint(first or 1),  # long tag
        field(1, b"hash", padding),  # long length
    ):
        with pytest.raises(CodecError):
            decode(Header, mutation)
    if first < 2**49:
        with pytest.raises(CodecError):
            decode(Header, field(2, first or 1, padding))


@given(U64, U64)
def test_a_oneof_given_twice_is_refused(nonce: int, number: int) -> None:
    with pytest.raises(CodecError):
        decode(Payload, field(2, nonce) + field(3, number))
    # Unlike a plain field, a oneof's zero is written: it says which member is set.
    assert decode(Payload, field(2, 0)).WhichOneof("sequence") == "nonce"


@pytest.mark.parametrize(
    "data", [b"\x0a\x05ab", b"\xff", b"\x0a\xff", b"\x0b", bytes(3), b"\x0a\x02\xff\xfe"]
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match=r"pocl\.v1\.Call"):
        decode(Call, data)


@pytest.mark.parametrize("value", [4, 99, 2**31, 2**32 + 1, 2**64 - 1])
def test_enum_values_outside_the_descriptor_are_refused(value: int) -> None:
    with pytest.raises(CodecError):
        decode(EventRecord, field(1, value))
    with pytest.raises(CodecError):
        decode(BlockEvents, field(1, field(1, value)))


def test_the_error_names_the_enum_field() -> None:
    with pytest.raises(CodecError, match=r"EventRecord\.phase: 99 is not a value of .*\.Phase"):
        decode(BlockEvents, field(1, field(1, 2)) + field(1, field(1, 99)))
    with pytest.raises(CodecError, match="99"):
        encode(EventRecord(phase=99))  # type: ignore[arg-type]
    assert decode(EventRecord, field(1, 3)).phase == EventRecord.FINALIZE


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (wrappers_pb2.DoubleValue(), "a float"),
        (struct_pb2.Struct(), "a map"),
        (descriptor_pb2.FieldOptions(), "extensions"),
    ],
)
def test_classes_without_a_canonical_form_are_refused(message: Any, kind: str) -> None:
    with pytest.raises(CodecError, match=kind):
        encode(message)
    with pytest.raises(CodecError, match=kind):
        decode(type(message), b"")


def test_nesting_cannot_exhaust_the_stack() -> None:
    data = b""
    for _ in range(3000):
        data = field(3, data)
    with pytest.raises(CodecError):
        decode(descriptor_pb2.DescriptorProto, data)


def test_the_hot_messages_have_a_canonical_form() -> None:
    for cls in (Extrinsic, Payload, Block, BlockEvents, RoundSummary):
        assert decode(cls, b"") == cls()

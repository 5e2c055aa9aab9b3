"""Proofs whose bytes were tampered with: none convinces anybody of what is not so.

A proof has one form only, so of the same key, or of the same range, no other bytes are accepted at all. Bytes that turn
into a sound proof of something else (that some other key is absent from an empty place) say the truth about that.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import runtime.proof
import runtime.range_proof
from pocl.v1.proof_pb2 import StateProof, StateRange
from runtime.codec import CodecError, decode, encode
from runtime.proof import key_path, verify_state_proof
from runtime.range_proof import verify_range
from runtime.tree import prove, prove_range, update
from tests.runtime.tree.harness import Nodes, colliding_keys, model_root

KEYS = colliding_keys()
ZERO = bytes(32)

M = TypeVar("M", StateProof, StateRange)

entries_ = st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=4), min_size=1)


def stored(entries: dict[bytes, bytes]) -> Nodes:
    nodes = Nodes()
    nodes.update(update(nodes, None, entries, 0).nodes)
    return nodes


@st.composite
def tampering(draw: st.DrawFn, data: bytes) -> bytes:
    """Return other bytes: a bit flipped, a byte added, removed or replaced, a part doubled or cut out."""
    at = draw(st.integers(0, len(data) - 1))
    end = draw(st.integers(at, min(len(data), at + 40)))
    changed = draw(
        st.sampled_from(
            [
                data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :],
                data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :],
                data[:at] + draw(st.binary(min_size=1, max_size=2)) + data[at:],
                data[:at] + data[at + 1 :],
                data[:at] + data[at:end] + data[at:],
                data[:at] + data[end:],
                data[:at],
            ]
        )
    )
    assume(changed != data)
    return changed


def read(cls: type[M], data: bytes) -> M | None:
    """Return what a careful client reads, None when it refuses the bytes."""
    try:
        return decode(cls, data)
    except CodecError:
        return None


@given(st.data(), entries_, st.sampled_from(KEYS))
def test_a_tampered_proof_of_a_key(data: st.DataObject, entries: dict[bytes, bytes], key: bytes) -> None:
    proof = prove(stored(entries), 0, key, entries.get(key))
    root = model_root(entries)
    assert verify_state_proof(root, proof)
    forged = read(StateProof, data.draw(tampering(encode(proof))))
    if forged is None or not verify_state_proof(root, forged):
        return
    assert forged.key != key, "the same key is proved in one way only"
    assert entries.get(forged.key) == (forged.value if forged.exists else None), "accepted, and not so"


@given(entries_, st.sampled_from(KEYS))
def test_every_byte_of_a_proof_counts(entries: dict[bytes, bytes], key: bytes) -> None:
    """With any byte of any of its parts changed, a proof of the same key is refused."""
    proof = prove(stored(entries), 0, key, entries.get(key))
    root = model_root(entries)
    for name in ("value", "other_path", "other_value_hash"):
        for changed in each_byte_changed(getattr(proof, name)):
            forged = StateProof()
            forged.CopyFrom(proof)
            setattr(forged, name, changed)
            assert not verify_state_proof(root, forged), name
    for index, sibling in enumerate(proof.siblings):
        for changed in each_byte_changed(sibling):
            forged = StateProof()
            forged.CopyFrom(proof)
            forged.siblings[index] = changed
            assert not verify_state_proof(root, forged), "siblings"
    forged = StateProof()
    forged.CopyFrom(proof)
    forged.exists = not proof.exists
    assert not verify_state_proof(root, forged), "exists"
    for changed in each_byte_changed(root):
        assert not verify_state_proof(changed, proof), "root"


def each_byte_changed(data: bytes) -> list[bytes]:
    """Return, for each byte, the bytes with one bit of it flipped."""
    return [data[:at] + bytes([value ^ 1 << at % 8]) + data[at + 1 :] for at, value in enumerate(data)]


@given(st.data(), entries_, st.integers(1, 60))
def test_a_tampered_range(data: st.DataObject, entries: dict[bytes, bytes], max_bytes: int) -> None:
    start = data.draw(st.sampled_from([ZERO, *(key_path(key) for key in KEYS)]))
    part = prove_range(stored(entries), 0, start, entries.get, max_bytes)
    root = model_root(entries)
    assert verify_range(root, part)
    forged = read(StateRange, data.draw(tampering(encode(part))))
    if forged is None or not verify_range(root, forged):
        return
    end = None if forged.last else key_path(forged.entries[-1].key)
    true = [
        (key, entries[key])
        for key in sorted(entries, key=key_path)
        if key_path(key) >= forged.start and (end is None or key_path(key) <= end)
    ]
    assert [(entry.key, entry.value) for entry in forged.entries] == true, "accepted, and not so"


@pytest.mark.parametrize("module", [runtime.proof, runtime.range_proof])
def test_who_checks_proofs_needs_hashing_and_messages_alone(module: object) -> None:
    """Not even within a function: who reviews a light client reads these two files, hashing and the messages."""
    file = Path(str(getattr(module, "__file__", "")))
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    allowed = {"__future__", "bisect", "collections", "pocl.hashing", "pocl.v1.proof_pb2", "runtime.proof"}
    assert found <= allowed

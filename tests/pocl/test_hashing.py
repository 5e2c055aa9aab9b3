"""Hashes, Merkle trees and blob names."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocl.hashing import (
    BLOB_CHUNK,
    ZERO_HASH,
    blob_name,
    blob_name_of,
    chunk_hashes,
    hash256,
    merkle_proof,
    merkle_root,
    verify_merkle_proof,
)

ITEMS = st.lists(st.binary(max_size=8), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        # BLAKE2b-256 without a key, as b2sum -l 256 prints it.
        ("", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
        ("abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
    ],
)
def test_hash256_known_vectors(message: str, digest: str) -> None:
    assert hash256(message).hex() == digest
    assert hash256("", message.encode()).hex() == digest


def test_hash256_joins_domain_and_parts() -> None:
    expected = hashlib.blake2b(b"pocl/x/1onetwo", digest_size=32).digest()
    assert hash256("pocl/x/1", b"one", b"two") == expected


def test_merkle_root_of_nothing_is_zero() -> None:
    assert merkle_root([]) == ZERO_HASH == bytes(32)


def test_merkle_root_follows_the_documented_rules() -> None:
    a, b, c = (hash256("pocl/merkle-leaf/1", item) for item in (b"a", b"b", b"c"))
    top = hash256("pocl/merkle-node/1", hash256("pocl/merkle-node/1", a, b), c)
    assert merkle_root([b"a", b"b", b"c"]) == hash256("pocl/merkle-root/1", bytes(7) + b"\x03", top)
    assert merkle_root([b"a"]) == hash256("pocl/merkle-root/1", bytes(7) + b"\x01", a)


@given(ITEMS, ITEMS)
def test_different_lists_have_different_roots(left: list[bytes], right: list[bytes]) -> None:
    assert (merkle_root(left) == merkle_root(right)) == (left == right)


@given(ITEMS, st.data())
def test_every_item_has_a_proof_for_its_own_place_only(items: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(items) - 1))
    root, proof = merkle_root(items), merkle_proof(items, index)
    assert verify_merkle_proof(root, items[index], index, len(items), proof)
    assert not verify_merkle_proof(root, items[index] + b"!", index, len(items), proof)
    for count in range(1, len(items) + 3):
        for other in range(count):
            if (other, count) != (index, len(items)) and (
                count != len(items) or items[other] != items[index]
            ):
                assert not verify_merkle_proof(root, items[index], other, count, proof)


@given(ITEMS, st.data())
def test_a_proof_with_other_siblings_fails(items: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(items) - 1))
    root, proof = merkle_root(items), merkle_proof(items, index)
    assert not verify_merkle_proof(root, items[index], index, len(items), [*proof, bytes(32)])
    for place in range(len(proof)):
        changed = [*proof[:place], bytes(32), *proof[place + 1 :]]
        assert not verify_merkle_proof(root, items[index], index, len(items), changed)
        assert not verify_merkle_proof(root, items[index], index, len(items), proof[:place])


def test_proof_of_a_missing_item_is_refused() -> None:
    with pytest.raises(IndexError, match="no item 2"):
        merkle_proof([b"a", b"b"], 2)
    assert not verify_merkle_proof(merkle_root([b"a"]), b"a", -1, 1, [])
    assert not verify_merkle_proof(ZERO_HASH, b"", 0, 0, [])


def test_blob_names_follow_the_documented_rules() -> None:
    data = bytes(range(256)) * 1024 + b"tail"
    chunks = [data[:BLOB_CHUNK], data[BLOB_CHUNK:]]
    hashes = [hashlib.blake2b(chunk, digest_size=32).digest() for chunk in chunks]
    assert chunk_hashes(data) == hashes
    assert blob_name(data) == hash256("pocl/blob/1", len(data).to_bytes(8, "big"), *hashes)
    assert blob_name(b"") == hash256("pocl/blob/1", bytes(8))
    assert blob_name(memoryview(data)) == blob_name_of(len(data), hashes)


def test_blob_name_of_refuses_hashes_that_cannot_be_its_chunks() -> None:
    with pytest.raises(ValueError, match="1 chunks, not 2"):
        blob_name_of(BLOB_CHUNK, [bytes(32), bytes(32)])
    with pytest.raises(ValueError, match="1 chunks, not 0"):
        blob_name_of(1, [])
    with pytest.raises(ValueError, match="32 bytes"):
        blob_name_of(1, [bytes(31)])

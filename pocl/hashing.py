"""The one hash of the chain, BLAKE2b-256, and what is built from it: Merkle roots and the names of blobs.

Merkle tree over n items (docs/protocol.md):
    leaf(item)  = H("pocl/merkle-leaf/1" || item)
    node(l, r)  = H("pocl/merkle-node/1" || l || r)
    root        = H("pocl/merkle-root/1" || u64be(n) || top),   32 zero bytes when n = 0
A level's last node without a partner moves up unchanged, so no list of items has the root of another one
(duplicating it instead is Bitcoin's CVE-2012-2459). The root covers n, so a proof also proves the item's
index.

Blob of s bytes:
    name = H("pocl/blob/1" || u64be(s) || H(chunk 0) || H(chunk 1) || ...)
in chunks of 256 KiB, the last one shorter, so that every chunk of a pull is checked when it arrives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

HASH_SIZE = 32
"""Bytes of a hash."""

ZERO_HASH = bytes(HASH_SIZE)
"""The Merkle root of no items."""

_LEAF, _NODE = "pocl/merkle-leaf/1", "pocl/merkle-node/1"

BLOB_CHUNK = 256 * 1024
"""Bytes of a blob's chunk."""


@lru_cache(1024)
def hasher(domain: str) -> Callable[[], hashlib.blake2b]:
    """Return what makes a BLAKE2b-256 that has taken in the domain: a copy costs half of a new one."""
    return hashlib.blake2b(domain.encode(), digest_size=HASH_SIZE).copy


def hash256(domain: str, *parts: bytes) -> bytes:
    """Return BLAKE2b-256 (RFC 7693, no key) of the UTF-8 domain followed by all parts.

    Parts are joined without separators: of several parts all but one must have a fixed size.
    """
    hash = hasher(domain)()
    for part in parts:
        hash.update(part)
    return hash.digest()


def merkle_root(items: Sequence[bytes]) -> bytes:
    """Return the Merkle root of the items in their order (rules in the module's docstring)."""
    if not items:
        return ZERO_HASH
    level = _leaves(items)
    while len(level) > 1:
        level = _parents(level)
    return _root(len(items), level[0])


def merkle_proof(items: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings of item `index`, from the leaf up. Raise IndexError when there is no such item."""
    if not 0 <= index < len(items):
        raise IndexError(f"no item {index}: the list has {len(items)} items")
    level = _leaves(items)
    siblings = []
    while len(level) > 1:
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        level = _parents(level)
        index //= 2
    return siblings


def verify_merkle_proof(root: bytes, item: bytes, index: int, count: int, siblings: Sequence[bytes]) -> bool:
    """Tell whether `root` is that of `count` items of which `item` is number `index`."""
    if not 0 <= index < count < 2**64 or any(len(sibling) != HASH_SIZE for sibling in siblings):
        return False
    node, remaining, width = _leaf(item), list(reversed(siblings)), count
    while width > 1:
        if index ^ 1 < width:
            if not remaining:
                return False
            sibling = remaining.pop()
            node = _node(sibling, node) if index & 1 else _node(node, sibling)
        index, width = index // 2, (width + 1) // 2
    return not remaining and _root(count, node) == root


def chunk_hashes(data: bytes | memoryview) -> list[bytes]:
    """Return the BLAKE2b-256 of each chunk of `BLOB_CHUNK` bytes; empty for empty data."""
    view = memoryview(data)
    return [chunk_hash(view[start : start + BLOB_CHUNK]) for start in range(0, len(view), BLOB_CHUNK)]


def chunk_hash(chunk: bytes | memoryview) -> bytes:
    """Return the plain BLAKE2b-256 of one chunk: a chunk hash is never a name by itself."""
    return hashlib.blake2b(chunk, digest_size=HASH_SIZE).digest()


def blob_name(data: bytes | memoryview) -> bytes:
    """Return the name under which these bytes travel and are committed to."""
    return blob_name_of(len(data), chunk_hashes(data))


def blob_name_of(size: int, hashes: Iterable[bytes]) -> bytes:
    """Return the name of the blob of `size` bytes whose chunks have these hashes.

    Raise ValueError when the number or the lengths of the hashes do not fit the size.
    """
    hashes = list(hashes)
    expected = -(-size // BLOB_CHUNK)
    if len(hashes) != expected:
        raise ValueError(f"a blob of {size} bytes has {expected} chunks, not {len(hashes)}")
    if any(len(item) != HASH_SIZE for item in hashes):
        raise ValueError(f"a chunk hash has {HASH_SIZE} bytes")
    return hash256("pocl/blob/1", size.to_bytes(8, "big"), *hashes)


def _leaf(item: bytes) -> bytes:
    return hash256(_LEAF, item)


def _node(left: bytes, right: bytes) -> bytes:
    return hash256(_NODE, left, right)


def _leaves(items: Sequence[bytes]) -> list[bytes]:
    return [_leaf(item) for item in items]


def _root(count: int, top: bytes) -> bytes:
    return hash256("pocl/merkle-root/1", count.to_bytes(8, "big"), top)


def _parents(level: list[bytes]) -> list[bytes]:
    # Without a partner the last one is left out by zip, and moves up.
    parents = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return parents + level[-1:] if len(level) % 2 else parents

"""Stored nodes of the state tree: their keys, their bytes, their hashes.

A node's place is a prefix of `depth` nibbles of a path, and it is written once, under
    key     = u64be(version) || place
    place   = u8(depth) || the prefix, packed, an odd last nibble in the upper half
    empty   = 0x00                                    the root of a tree without leaves, nothing else
    leaf    = 0x01 || path[32] || value hash[32] || key   at the shortest prefix that no other leaf shares
    branch  = 0x02 || ...                             four levels of the binary tree (branch.py)
A leaf's hash does not cover the state key: it is there so that who walks the tree can name what it finds (range.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pocl.hashing import HASH_SIZE
from runtime.frame.errors import RuntimeFault
from runtime.proof import EMPTY_ROOT, leaf_hash
from runtime.tree.branch import BRANCH, Branch

EMPTY, LEAF = 0, 1
"""First byte of a stored node, as branch.BRANCH."""

EMPTY_NODE = bytes([EMPTY])

VERSION_SIZE = 8
DEPTH_AT = VERSION_SIZE
"""Which byte of a node's key is its depth."""

_DEPTHS = [bytes((depth,)) for depth in range(2 * HASH_SIZE + 1)]
_UPPER_HALVES = [bytes((byte & 0xF0,)) for byte in range(256)]


class NodeReader(Protocol):
    """Where the nodes of earlier versions are found."""

    def get_node(self, key: bytes) -> bytes | None:
        """Return the node stored under `key`, or None."""


class MissingNode(RuntimeFault):
    """A node that the tree of a version needs is not stored: that version is pruned, or the store is damaged."""


class Leaf(NamedTuple):
    """A leaf in memory; how deep it sits depends on the others."""

    path: bytes
    hashed_value: bytes
    key: bytes

    @property
    def hash(self) -> bytes:
        """The leaf's hash."""
        return leaf_hash(self.path, self.hashed_value)


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """What a batch of changes did to the tree."""

    version: int
    root: bytes
    nodes: dict[bytes, bytes]
    """The nodes that were made, all of this version: key -> bytes."""
    stale: list[bytes]
    """Keys of nodes of earlier versions that are no part of this version's tree any more."""


def node_key(version: int, path: bytes, depth: int) -> bytes:
    """Return the key of the node of `version` at the first `depth` nibbles of `path`."""
    return version.to_bytes(VERSION_SIZE, "big") + place_of(path, depth)


def place_of(path: bytes, depth: int) -> bytes:
    """Return the place of the first `depth` nibbles of `path`: what follows the version in a key."""
    half = depth >> 1
    place = _DEPTHS[depth] + path[:half]
    return place + _UPPER_HALVES[path[half]] if depth & 1 else place


def child_key(version: int, path: bytes, depth: int, nibble: int) -> bytes:
    """Return the key of the node of `version` below the first `depth` nibbles of `path`, under `nibble`."""
    half = depth >> 1
    last = path[half] & 0xF0 | nibble if depth & 1 else nibble << 4
    return version.to_bytes(VERSION_SIZE, "big") + _DEPTHS[depth + 1] + path[:half] + bytes((last,))


def root_key(version: int) -> bytes:
    """Return the key of a version's root node."""
    return node_key(version, b"", 0)


def nibble_at(path: bytes, depth: int) -> int:
    """Return nibble number `depth` of a path."""
    byte = path[depth >> 1]
    return byte & 0x0F if depth & 1 else byte >> 4


def encode_leaf(leaf: Leaf) -> bytes:
    """Return the bytes of a leaf."""
    return bytes((LEAF,)) + leaf.path + leaf.hashed_value + leaf.key


def decode_leaf(data: bytes) -> Leaf:
    """Return the leaf of bytes that `encode_leaf` made."""
    middle, end = 1 + HASH_SIZE, 1 + 2 * HASH_SIZE
    return Leaf(data[1:middle], data[middle:end], data[end:])


def stored_hash(data: bytes) -> bytes:
    """Return the hash of a node from its stored bytes; no bytes when the hashes in them contradict each other."""
    if data[0] == BRANCH:
        branch = Branch.decode(data)
        hash = branch.hash()
        return hash if branch.hash_anew() == hash else b""
    return decode_leaf(data).hash if data[0] == LEAF else EMPTY_ROOT


def read_node(reader: NodeReader, key: bytes) -> bytes:
    """Return the bytes under `key`. Raise MissingNode when there are none."""
    data = reader.get_node(key)
    if data is None:
        version, place = int.from_bytes(key[:8], "big"), key[9:].hex()[: key[8]]
        raise MissingNode(
            f"state tree: no node of version {version} at /{place}: pruned, or the store is damaged"
        )
    return data


def read_root(reader: NodeReader, version: int) -> bytes:
    """Return the root hash of the tree of `version`. Raise MissingNode when its root is not stored."""
    return stored_hash(read_node(reader, root_key(version)))

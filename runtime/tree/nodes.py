"""Stored nodes of the state tree: their keys, their bytes, their hashes.

A node stands for four levels of the binary tree that runtime/proof.py defines. Its place is a prefix of
`depth` nibbles of a path, and it is written once, under
    key     = u64be(version) || u8(depth) || the prefix, packed, an odd last nibble in the upper half
    empty   = 0x00                                    the root of a tree without leaves, nothing else
    leaf    = 0x01 || path[32] || value hash[32] || key   at the shortest prefix that no other leaf shares
    branch  = 0x02 || u16be(present) || u16be(leaves) || u64be version a child || hash[32] a child
A branch has at least two leaves below it. In both its bitmaps bit i stands for the child under nibble i;
`leaves` tells which children are leaves. A child's version completes its key. A leaf's hash does not cover the
state key: it is there so that who walks the tree can name what it finds (range.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from pocl.hashing import HASH_SIZE, hasher
from runtime.frame.errors import RuntimeFault
from runtime.proof import EMPTY_ROOT, leaf_hash, node_hash

RADIX = 16

EMPTY, LEAF, BRANCH = 0, 1, 2
"""First byte of a stored node."""

EMPTY_NODE = bytes([EMPTY])

_HEAD = struct.Struct(">BHH")
_CHILDREN = [struct.Struct(f">{count}Q{f'{HASH_SIZE}s' * count}") for count in range(RADIX + 1)]
_LOW = [[place for place in range(8) if bits >> place & 1] for bits in range(256)]
_HIGH = [[place + 8 for place in places] for places in _LOW]
_ALL = 2**RADIX - 1
_NODE_HASHER = hasher("pocl/state-node/1")


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


@dataclass(slots=True)
class Branch:
    """A branch in memory, with the four binary levels inside it.

    Node i of the binary tree has the children 2i and 2i + 1; 1 is the root, RADIX + nibble a child of the branch.
    """

    nodes: list[bytes | None]
    """The hash of each binary node; None for an empty one."""
    single: list[bool]
    """Of each binary node, whether it is a single leaf."""
    versions: list[int]
    present: int
    leaves: int
    """The bitmaps of the children and of those that are leaves."""
    changed: int
    """The bitmap of the children above which the hashes are not computed yet: all when the branch was decoded."""

    @classmethod
    def empty(cls) -> Branch:
        """Return a branch without children."""
        return cls([None] * (2 * RADIX), [False] * (2 * RADIX), [0] * RADIX, 0, 0, 0)

    @classmethod
    def decode(cls, data: bytes) -> Branch:
        """Return the branch of bytes that `encode` made."""
        _, present, leaves = _HEAD.unpack_from(data)
        places = _places(present)
        fields = _CHILDREN[len(places)].unpack_from(data, _HEAD.size)
        nodes: list[bytes | None] = [None] * (2 * RADIX)
        single, versions = [False] * (2 * RADIX), [0] * RADIX
        if len(places) == RADIX:
            versions, nodes[RADIX:] = list(fields[:RADIX]), fields[RADIX:]
        else:
            for place, version, hash in zip(places, fields, fields[len(places) :], strict=False):
                versions[place], nodes[RADIX + place] = version, hash
        for place in _places(leaves):
            single[RADIX + place] = True
        return cls(nodes, single, versions, present, leaves, _ALL)

    def encode(self) -> bytes:
        """Return the branch's bytes."""
        versions, hashes = self.versions, self.nodes[RADIX:]
        if self.present != _ALL:
            places = _places(self.present)
            versions, hashes = [versions[place] for place in places], [hashes[place] for place in places]
        return _HEAD.pack(BRANCH, self.present, self.leaves) + _CHILDREN[len(versions)].pack(
            *versions, *hashes
        )

    def child(self, nibble: int) -> bytes | None:
        """Return the hash of a child; None when there is none."""
        return self.nodes[RADIX + nibble]

    def is_leaf(self, nibble: int) -> bool:
        """Return whether a child is a leaf."""
        return self.single[RADIX + nibble]

    def set_child(self, nibble: int, version: int, hash: bytes | None, leaf: bool) -> None:
        """Put another child, or none, under a nibble."""
        place = RADIX + nibble
        self.nodes[place], self.single[place], self.versions[nibble] = hash, leaf, version
        bit = 1 << nibble
        self.present = self.present & ~bit if hash is None else self.present | bit
        self.leaves = self.leaves | bit if leaf else self.leaves & ~bit
        self.changed |= bit

    def levels(self) -> list[tuple[list[bytes | None], list[bool]]]:
        """Return the binary levels of the branch, widest (16) first, root (1) last.

        A level is its hashes (None for an empty subtree), and for each whether it is a single leaf.
        """
        self.hash()
        widths = (16, 8, 4, 2, 1)
        return [(self.nodes[width : 2 * width], self.single[width : 2 * width]) for width in widths]

    def hash(self) -> bytes:
        """Return the hash of the branch: that of its binary root, once what changed below it is computed.

        The hot loop of every update, hence node_hash written out.
        """
        nodes, single, hasher = self.nodes, self.single, _NODE_HASHER
        for place in _above(self.changed):
            left, right = nodes[2 * place], nodes[2 * place + 1]
            if left and right:
                hash = hasher()
                hash.update(left)
                hash.update(right)
                nodes[place], single[place] = hash.digest(), False
            elif single[2 * place] or single[2 * place + 1]:
                # A subtree with a single leaf is that leaf.
                nodes[place], single[place] = left or right, True
            elif left or right:
                nodes[place] = node_hash(left or EMPTY_ROOT, right or EMPTY_ROOT)
                single[place] = False
            else:
                nodes[place], single[place] = None, False
        self.changed = 0
        return nodes[1] or EMPTY_ROOT


@lru_cache(4096)
def _above(changed: int) -> tuple[int, ...]:
    """Return the places of the binary nodes above the children of a bitmap, lowest level first."""
    above = {(RADIX + child) >> up for child in _places(changed) for up in (1, 2, 3, 4)}
    return tuple(sorted(above, reverse=True))


class RecentBranches:
    """Branches as they were written, by their bytes: the next version of one need not decode it, nor compute again
    the hashes inside it above what does not change.

    A branch is taken out to be changed, so mostly only those of the newest tree are here; the oldest goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._branches: dict[bytes, Branch] = {}

    def take(self, data: bytes) -> Branch:
        """Return the branch of these bytes; the caller may change it."""
        return self._branches.pop(data, None) or Branch.decode(data)

    def put(self, data: bytes, branch: Branch) -> None:
        """Remember a branch that nobody changes any more."""
        self._branches[data] = branch
        if len(self._branches) > self._most:
            del self._branches[next(iter(self._branches))]


def _places(bits: int) -> list[int]:
    """Return the places of the bits that are set in a bitmap, ascending."""
    return _LOW[bits & 0xFF] + _HIGH[bits >> 8]


def node_key(version: int, path: bytes, depth: int) -> bytes:
    """Return the key of the node of `version` at the first `depth` nibbles of `path`."""
    half = depth >> 1
    head = version.to_bytes(8, "big") + bytes((depth,)) + path[:half]
    return head + bytes((path[half] & 0xF0,)) if depth & 1 else head


def child_key(version: int, path: bytes, depth: int, nibble: int) -> bytes:
    """Return the key of the node of `version` below the first `depth` nibbles of `path`, under `nibble`."""
    half = depth >> 1
    last = path[half] & 0xF0 | nibble if depth & 1 else nibble << 4
    return version.to_bytes(8, "big") + bytes((depth + 1,)) + path[:half] + bytes((last,))


def depth_of(key: bytes) -> int:
    """Return the depth of the node under a key."""
    return key[8]


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
    """Return the hash of a node from its stored bytes."""
    if data[0] == BRANCH:
        return Branch.decode(data).hash()
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

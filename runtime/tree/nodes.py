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

import hashlib
import struct
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from pocl.hashing import HASH_SIZE
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
_NODE_DOMAIN = b"pocl/state-node/1"


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
    """A branch in memory: a place in each list per nibble; None is an empty child."""

    hashes: list[bytes | None]
    versions: list[int]
    leaves: int

    @classmethod
    def empty(cls) -> Branch:
        """Return a branch without children."""
        return cls([None] * RADIX, [0] * RADIX, 0)

    @classmethod
    def decode(cls, data: bytes) -> Branch:
        """Return the branch of bytes that `encode` made."""
        _, present, leaves = _HEAD.unpack_from(data)
        places = _LOW[present & 0xFF] + _HIGH[present >> 8]
        fields = _CHILDREN[len(places)].unpack_from(data, _HEAD.size)
        count = len(places)
        if count == RADIX:
            return cls(list(fields[RADIX:]), list(fields[:RADIX]), leaves)
        branch = cls([None] * RADIX, [0] * RADIX, leaves)
        for place, version, hash in zip(places, fields[:count], fields[count:], strict=True):
            branch.versions[place] = version
            branch.hashes[place] = hash
        return branch

    def encode(self) -> bytes:
        """Return the branch's bytes."""
        if None not in self.hashes:
            return _HEAD.pack(BRANCH, 0xFFFF, self.leaves) + _CHILDREN[RADIX].pack(
                *self.versions, *self.hashes
            )
        places = [place for place, hash in enumerate(self.hashes) if hash is not None]
        present = sum([1 << place for place in places])
        versions = [self.versions[place] for place in places]
        hashes = [self.hashes[place] for place in places]
        return _HEAD.pack(BRANCH, present, self.leaves) + _CHILDREN[len(places)].pack(*versions, *hashes)

    def levels(self) -> list[tuple[list[bytes | None], list[bool]]]:
        """Return the binary levels of the branch, widest (16) first, root (1) last.

        A level is its hashes (None for an empty subtree), and for each whether it is a single leaf.
        """
        hashes, single = self.hashes, [self.leaves >> place & 1 == 1 for place in range(RADIX)]
        levels = [(hashes, single)]
        while len(hashes) > 1:
            hashes, single = _parents(hashes, single)
            levels.append((hashes, single))
        return levels

    def hash(self) -> bytes:
        """Return the hash of the branch; it has at least two leaves below it."""
        if None not in self.hashes:
            return _top(cast(list[bytes], self.hashes))
        leaves = self.leaves
        return _sparse_top(
            [(place, hash, leaves >> place & 1) for place, hash in enumerate(self.hashes) if hash], RADIX // 2
        )


def _top(hashes: list[bytes]) -> bytes:
    """Return the hash above a full level, in which nothing is empty, so nothing collapses: the usual branch
    of a large tree, and the hot loop of every update, hence node_hash written out."""
    blake2b, domain = hashlib.blake2b, _NODE_DOMAIN
    while len(hashes) > 1:
        hashes = [
            blake2b(domain + left + right, digest_size=HASH_SIZE).digest()
            for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


def _sparse_top(children: list[tuple[int, bytes, int]], half: int) -> bytes:
    """Return the hash above 2 * half places of which only some hold a child: (nibble, hash, whether it is a leaf).

    It goes down to where the children part and no further: most branches of a tree are its lowest, with two or
    three leaves.
    """
    if len(children) == 1:
        nibble, hash, single = children[0]
        bit = 1
        while not single and bit <= half:
            pair = EMPTY_ROOT + hash if nibble & bit else hash + EMPTY_ROOT
            hash = hashlib.blake2b(_NODE_DOMAIN + pair, digest_size=HASH_SIZE).digest()
            bit <<= 1
        return hash
    if children[0][0] & half:
        pair = EMPTY_ROOT + _sparse_top(children, half >> 1)
    elif not children[-1][0] & half:
        pair = _sparse_top(children, half >> 1) + EMPTY_ROOT
    else:
        split = next(index for index, child in enumerate(children) if child[0] & half)
        pair = _sparse_top(children[:split], half >> 1) + _sparse_top(children[split:], half >> 1)
    return hashlib.blake2b(_NODE_DOMAIN + pair, digest_size=HASH_SIZE).digest()


def _parents(hashes: list[bytes | None], single: list[bool]) -> tuple[list[bytes | None], list[bool]]:
    """Return the next binary level."""
    above: list[bytes | None] = []
    alone = []
    for place in range(0, len(hashes), 2):
        left, right = hashes[place], hashes[place + 1]
        collapses = (single[place] and right is None) or (single[place + 1] and left is None)
        alone.append(collapses)
        if collapses or (left is None and right is None):
            above.append(left or right)
        else:
            above.append(node_hash(left or EMPTY_ROOT, right or EMPTY_ROOT))
    return above, alone


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

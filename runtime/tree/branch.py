"""Branches of the state tree: four levels of the binary tree that runtime/proof.py defines, in one stored node.

    branch = 0x02 || u16be(present) || u16be(leaves) || u64be version a child || hash[32] a child || quarters
A branch has at least two leaves below it. In both its bitmaps bit i stands for the child under nibble i;
`leaves` tells which children are leaves. A child's version completes its key (nodes.py).

The children fall into four quarters: 0 to 3, 4 to 7, 8 to 11, 12 to 15. Where none is empty, as in most branches of a
large tree, the hashes of the four follow: so who changes a child computes its quarter anew and what is above the
quarters, six hashes instead of fifteen. They are no news: what the children's hashes give.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pocl.hashing import HASH_SIZE, hasher
from runtime.proof import EMPTY_ROOT, node_hash

RADIX = 16

BRANCH = 2
"""First byte of a stored branch."""

_HEAD = struct.Struct(">BHH")
_VERSIONS_AT = _HEAD.size
_VERSION_SIZE = 8
_VERSIONS = [struct.Struct(f">{count}Q") for count in range(RADIX + 1)]
_HASHES = [struct.Struct(f"{HASH_SIZE}s" * count) for count in range(RADIX + 1)]
_LOW = [[place for place in range(8) if bits >> place & 1] for bits in range(256)]
_HIGH = [[place + 8 for place in places] for places in _LOW]
_ALL = 2**RADIX - 1

_QUARTERS = range(4)
_ALL_QUARTERS = 0b1111
_QUARTERS_SIZE = 4 * HASH_SIZE
_ABOVE = [
    [8 + half for half in range(8) if bits >> (half >> 1) & 1]
    + [4 + quarter for quarter in _QUARTERS if bits >> quarter & 1]
    + [3, 2, 1]
    for bits in range(_ALL_QUARTERS + 1)
]
"""By a bitmap of quarters: the places of the binary nodes inside them, of their own, and of those above them."""

_node_hasher = hasher("pocl/state-node/1")


@dataclass(slots=True)
class Branch:
    """A branch in memory, with the four binary levels inside it.

    Node i of the binary tree has the children 2i and 2i + 1; 1 is the root, RADIX + nibble a child of the branch.
    """

    nodes: list[bytes]
    """The hash of each binary node; no bytes for an empty one."""
    single: list[bool]
    """Of each binary node, whether it is a single leaf."""
    versions: list[int]
    present: int
    leaves: int
    """The bitmaps of the children and of those that are leaves."""
    changed: int
    """The bitmap of the quarters that are not computed yet."""

    @classmethod
    def empty(cls) -> Branch:
        """Return a branch without children."""
        return cls([b""] * (2 * RADIX), [False] * (2 * RADIX), [0] * RADIX, 0, 0, _ALL_QUARTERS)

    @classmethod
    def decode(cls, data: bytes) -> Branch:
        """Return the branch of bytes that `encode` made."""
        _, present, leaves = _HEAD.unpack_from(data)
        places = _places(present)
        count = len(places)
        written = _VERSIONS[count].unpack_from(data, _VERSIONS_AT)
        hashes = _HASHES[count].unpack_from(data, _VERSIONS_AT + _VERSION_SIZE * count)
        nodes, single, versions = [b""] * (2 * RADIX), [False] * (2 * RADIX), [0] * RADIX
        if count == RADIX:
            versions, nodes[RADIX:] = list(written), hashes
        else:
            for place, version, hash in zip(places, written, hashes, strict=True):
                versions[place], nodes[RADIX + place] = version, hash
        for place in _places(leaves):
            single[RADIX + place] = True
        if not _has_quarters(present):
            return cls(nodes, single, versions, present, leaves, _ALL_QUARTERS)
        # Whether one of them is a single leaf is not known, and does not matter while none is empty.
        nodes[4:8] = _HASHES[4].unpack_from(data, len(data) - _QUARTERS_SIZE)
        return cls(nodes, single, versions, present, leaves, 0)

    def encode(self) -> bytes:
        """Return the branch's bytes, once `hash` was called."""
        versions, nodes = self.versions, self.nodes
        if self.present != _ALL:
            versions = [versions[place] for place in _places(self.present)]
        head = _HEAD.pack(BRANCH, self.present, self.leaves) + _VERSIONS[len(versions)].pack(*versions)
        # Empty places have no bytes.
        return head + b"".join(nodes[RADIX:] + nodes[4:8] if _has_quarters(self.present) else nodes[RADIX:])

    def child(self, nibble: int) -> bytes:
        """Return the hash of a child; no bytes when there is none."""
        return self.nodes[RADIX + nibble]

    def is_leaf(self, nibble: int) -> bool:
        """Return whether a child is a leaf."""
        return self.single[RADIX + nibble]

    def set_child(self, nibble: int, version: int, hash: bytes, leaf: bool) -> None:
        """Put another child, or none, under a nibble."""
        place, bit = RADIX + nibble, 1 << nibble
        present = self.present | bit if hash else self.present & ~bit
        leaves = self.leaves | bit if leaf else self.leaves & ~bit
        if (present, leaves) == (self.present, self.leaves):
            self.changed |= 1 << (nibble >> 2)
        else:
            self.present, self.leaves, self.changed = present, leaves, _ALL_QUARTERS
        self.nodes[place], self.single[place], self.versions[nibble] = hash, leaf, version

    def levels(self) -> list[tuple[list[bytes], list[bool]]]:
        """Return the binary levels of the branch, widest (16) first, root (1) last.

        A level is its hashes (no bytes for an empty subtree), and for each whether it is a single leaf.
        """
        self.hash_anew()
        widths = (16, 8, 4, 2, 1)
        return [(self.nodes[width : 2 * width], self.single[width : 2 * width]) for width in widths]

    def hash_anew(self) -> bytes:
        """Return the hash of the branch as its children give it, whatever is known of the quarters."""
        self.changed = _ALL_QUARTERS
        return self.hash()

    def hash(self) -> bytes:
        """Return the hash of the branch, that of its binary root, once the quarters that changed are computed.

        A hot loop, hence node_hash written out.
        """
        nodes, single = self.nodes, self.single
        for place in _ABOVE[self.changed]:
            left, right = nodes[2 * place], nodes[2 * place + 1]
            if left and right:
                node = _node_hasher()
                node.update(left + right)
                nodes[place], single[place] = node.digest(), False
            elif single[2 * place] or single[2 * place + 1]:
                # A subtree with a single leaf is that leaf.
                nodes[place], single[place] = left or right, True
            elif left or right:
                nodes[place] = node_hash(left or EMPTY_ROOT, right or EMPTY_ROOT)
                single[place] = False
            else:
                nodes[place], single[place] = b"", False
        self.changed = 0
        return nodes[1] or EMPTY_ROOT


def child_of(data: bytes, nibble: int) -> tuple[bytes, bool]:
    """Return the version of the child under a nibble, and whether it is a leaf, from the bytes of a branch.

    Without a child there the version has no bytes.
    """
    _, present, leaves = _HEAD.unpack_from(data)
    bit = 1 << nibble
    if not present & bit:
        return b"", False
    at = _VERSIONS_AT + _VERSION_SIZE * (present & (bit - 1)).bit_count()
    return data[at : at + _VERSION_SIZE], leaves & bit != 0


def replace_child(data: bytes, nibble: int, version: bytes, hash: bytes) -> tuple[bytes, bytes]:
    """Return bytes and hash of a branch after a leaf in it was replaced by a leaf, or a branch by a branch.

    This is `decode`, `set_child`, `hash` and `encode` at half their cost: a block changes one child of most branches
    that it changes.
    """
    _, present, leaves = _HEAD.unpack_from(data)
    count, before = present.bit_count(), (present & ((1 << nibble) - 1)).bit_count()
    own_version = _VERSIONS_AT + _VERSION_SIZE * before
    hashes = _VERSIONS_AT + _VERSION_SIZE * count
    own = hashes + HASH_SIZE * before
    head = data[:own_version] + version + data[own_version + _VERSION_SIZE : own] + hash
    tail = hashes + HASH_SIZE * count
    if tail == len(data):
        replaced = head + data[own + HASH_SIZE :]
        return replaced, _subtree(replaced[hashes:], present, leaves, RADIX)
    shift = nibble & 0b1100
    bits = present >> shift & 0b1111
    start = hashes + HASH_SIZE * (present & ((1 << shift) - 1)).bit_count()
    end = start + HASH_SIZE * bits.bit_count()
    replaced = head + data[own + HASH_SIZE : tail]
    quarter = _subtree(replaced[start:end], bits, leaves >> shift & 0b1111, 4)
    at = tail + HASH_SIZE * (nibble >> 2)
    quarters = data[tail:at] + quarter + data[at + HASH_SIZE :]
    return replaced + quarters, _subtree(quarters, _ALL_QUARTERS, 0, 4)


def _subtree(hashes: bytes, present: int, leaves: int, width: int) -> bytes:
    """Return the hash of the subtree over `width` places, which is not empty, from those of its children, joined."""
    if present == 0b1111 and width == 4:
        # The most frequent, hence written out.
        left, right, node = _node_hasher(), _node_hasher(), _node_hasher()
        left.update(hashes[: 2 * HASH_SIZE])
        right.update(hashes[2 * HASH_SIZE :])
        node.update(left.digest() + right.digest())
        return node.digest()
    if width == 1 or (present == leaves and not leaves & (leaves - 1)):
        # A subtree with a single leaf is that leaf.
        return hashes
    half = width >> 1
    mask = (1 << half) - 1
    low, high = present & mask, present >> half
    middle = HASH_SIZE * low.bit_count()
    node = _node_hasher()
    node.update(_subtree(hashes[:middle], low, leaves & mask, half) if low else EMPTY_ROOT)
    node.update(_subtree(hashes[middle:], high, leaves >> half, half) if high else EMPTY_ROOT)
    return node.digest()


def _has_quarters(present: int) -> bool:
    """Return whether none of the quarters of a branch with these children is empty."""
    return bool(present & 0x000F and present & 0x00F0 and present & 0x0F00 and present & 0xF000)


def _places(bits: int) -> list[int]:
    """Return the places of the bits that are set in a bitmap, ascending."""
    return _LOW[bits & 0xFF] + _HIGH[bits >> 8]

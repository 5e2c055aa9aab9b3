"""Making the range proofs that runtime/range_proof.py verifies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pocl.hashing import HASH_SIZE
from pocl.v1.proof_pb2 import StateEntry, StateRange
from runtime.tree.branch import BRANCH, RADIX, Branch
from runtime.tree.nodes import (
    EMPTY,
    LEAF,
    Leaf,
    MissingNode,
    NodeReader,
    child_key,
    decode_leaf,
    nibble_at,
    read_node,
    root_key,
)

_PATH_BITS = 8 * HASH_SIZE


def prove_range(
    reader: NodeReader,
    version: int,
    start: bytes,
    value: Callable[[bytes], bytes | None],
    max_bytes: int,
    max_entries: int | None = None,
) -> StateRange:
    """Return the entries of the tree of `version` from the path `start` on, with their proof.

    `value` returns what is stored under a state key. The range ends with the entry that reaches `max_bytes`
    of keys and values, or number `max_entries`. Raise MissingNode when nodes or values of that version are not there.
    """
    part = StateRange(start=start)
    size, end = 0, None
    for leaf in _leaves_from(reader, root_key(version), 0, start, True):
        if end is not None and (size >= max_bytes or len(part.entries) == max_entries):
            part.right.extend(_outside(reader, version, end, 1))
            break
        data = value(leaf.key)
        if data is None:
            raise MissingNode(f"state tree: no value of key 0x{leaf.key.hex()} in version {version}")
        part.entries.append(StateEntry(key=leaf.key, value=data))
        size += len(leaf.key) + len(data)
        end = leaf.path
    else:
        part.last = True
    part.left.extend(_outside(reader, version, start, 0))
    return part


def _leaves_from(reader: NodeReader, key: bytes, depth: int, start: bytes, tight: bool) -> Iterator[Leaf]:
    """Yield the leaves below a node from the path `start` on; `tight` says that the node lies on that path."""
    data = read_node(reader, key)
    if data[0] == LEAF:
        leaf = decode_leaf(data)
        if leaf.path >= start:
            yield leaf
    if data[0] != BRANCH:
        return
    branch = Branch.decode(data)
    # A node's key holds its path, packed: what child_key completes.
    place = key[9:]
    lowest = nibble_at(start, depth) if tight else 0
    for nibble in range(lowest, RADIX):
        if branch.child(nibble):
            child = child_key(branch.versions[nibble], place, depth, nibble)
            yield from _leaves_from(reader, child, depth + 1, start, tight and nibble == lowest)


def _outside(reader: NodeReader, version: int, path: bytes, side: int) -> list[bytes]:
    """Return what branches off the path on one side (0: before it, 1: behind it), from the root down."""
    shown: list[bytes] = []
    data = read_node(reader, root_key(version))
    depth = 0
    while data[0] == BRANCH:
        branch, nibble = Branch.decode(data), nibble_at(path, depth)
        levels = branch.levels()
        for height in range(4, -1, -1):
            hashes, single = levels[height]
            if not hashes[nibble >> height] or single[nibble >> height]:
                break
            below = height - 1
            if height and nibble >> below & 1 != side:
                shown.append(_subtree(reader, branch, path, depth, below, nibble >> below ^ 1))
        bits = 4 * depth + 4 - height
        if not hashes[nibble >> height]:
            data = bytes((EMPTY,))
        elif single[nibble >> height]:
            leaf = _single(reader, branch, path, depth, height, nibble >> height)
            shown += _beside(leaf, path, bits, side)
            data = bytes((EMPTY,))
        else:
            data = read_node(reader, child_key(branch.versions[nibble], path, depth, nibble))
            depth += 1
    if data[0] == LEAF:
        shown += _beside(decode_leaf(data), path, 0, side)
    while shown and not shown[-1]:
        shown.pop()
    return shown


def _subtree(reader: NodeReader, branch: Branch, path: bytes, depth: int, height: int, place: int) -> bytes:
    """Return how a subtree inside a branch is shown."""
    hashes, single = branch.levels()[height]
    if single[place]:
        leaf = _single(reader, branch, path, depth, height, place)
        return leaf.path + leaf.hashed_value
    return hashes[place]


def _single(reader: NodeReader, branch: Branch, path: bytes, depth: int, height: int, place: int) -> Leaf:
    """Return the only leaf of a subtree inside a branch."""
    start = place << height
    nibble = next(leaf for leaf in range(start, start + (1 << height)) if branch.is_leaf(leaf))
    return decode_leaf(read_node(reader, child_key(branch.versions[nibble], path, depth, nibble)))


def _beside(leaf: Leaf, path: bytes, depth: int, side: int) -> list[bytes]:
    """Return how a single leaf is shown that ends the search for a path at `depth` bits, where it leaves it."""
    if leaf.path == path or (leaf.path > path) != (side == 1):
        return []
    at, other = int.from_bytes(path, "big"), int.from_bytes(leaf.path, "big")
    apart = _PATH_BITS - (at ^ other).bit_length()
    between = [bit for bit in range(depth, apart) if at >> (_PATH_BITS - 1 - bit) & 1 != side]
    return [b""] * len(between) + [leaf.path + leaf.hashed_value]

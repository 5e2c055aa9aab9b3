"""Range proofs of the state tree: that certain entries are all there are between two paths.

A StateRange has the entries whose paths are at or above `start`, in the order of their paths, up to its last
one, or up to the end of the tree when `last` is set. Beside them it shows what lies outside: along the path
`start` every subtree that branches off before it (`left`), and along the path of the last entry every subtree
that branches off behind it (`right`; none when `last` is set), from the root down. Such a subtree is
- no bytes: empty;
- 64 bytes, path || value hash: a single leaf, which must lie where it is claimed to be;
- 32 bytes: the hash of a subtree with more than one leaf.
Both lists end where everything further down is empty.

From entries and outside the root can be computed (runtime/proof.py has the hashes). If it is the right one,
nothing is missing, added or changed: every hash on the way stands for one subtree alone. A single leaf must be
shown whole, for it takes the place of a subtree whose other half is empty: by its hash alone one could claim
that it lies outside when it lies between.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from pocl.hashing import HASH_SIZE
from pocl.v1.proof_pb2 import StateRange
from runtime.proof import EMPTY_ROOT, PATH_BITS, key_path, leaf_hash, node_hash, value_hash

_Node = tuple[bytes, bool]
"""The hash of a subtree, and whether it is a single leaf."""

_EMPTY: _Node = (EMPTY_ROOT, False)


class _Misplaced(Exception):
    """The outside is not what its place allows."""


def verify_range(root: bytes, part: StateRange) -> bool:
    """Tell whether, under `root`, the entries are all that there are from `start` on, as far as they go."""
    if len(part.start) != HASH_SIZE or not (part.entries or part.last) or (part.last and part.right):
        return False
    for outside in (part.left, part.right):
        if outside and not outside[-1]:
            return False
    low = int.from_bytes(part.start, "big")
    hashed = [(key_path(entry.key), value_hash(entry.value)) for entry in part.entries]
    paths = [int.from_bytes(path, "big") for path, _ in hashed]
    if any(path <= before for before, path in zip([low - 1, *paths], paths, strict=False)):
        return False
    high = (1 << PATH_BITS) - 1 if part.last else paths[-1]
    fold = _Fold(part, paths, [leaf_hash(*leaf) for leaf in hashed], low, high)
    try:
        return fold.root() == root
    except _Misplaced:
        return False


class _Fold:
    """Computes the root of one range. A subtree is named by its depth and its lowest path."""

    def __init__(self, part: StateRange, paths: list[int], leaves: list[bytes], low: int, high: int) -> None:
        self._paths = paths
        self._leaves = leaves
        self._low = low
        self._high = high
        self._left = deque(part.left)
        self._right = deque(part.right)

    def root(self) -> bytes:
        """Return the root. Raise _Misplaced when it cannot be computed, or not all of the outside is used."""
        hash, _ = self._edge(0, 0, 0, len(self._paths), True, True)
        if self._left or self._right:
            raise _Misplaced
        return hash

    def _edge(self, depth: int, base: int, first: int, end: int, at_low: bool, at_high: bool) -> _Node:
        """Return the subtree that holds entries `first` to `end`, and one of the range's ends or both."""
        at_low, at_high = at_low and bool(self._left), at_high and bool(self._right)
        if not at_low and not at_high:
            return self._inside(depth, base, first, end)
        if depth == PATH_BITS:
            raise _Misplaced
        half = 1 << (PATH_BITS - 1 - depth)
        middle = base + half
        split = bisect_left(self._paths, middle, first, end)
        left = _outside(self._left, base, middle) if at_low and self._low & half else None
        right = _outside(self._right, middle, middle + half) if at_high and not self._high & half else None
        if left is None:
            left = self._edge(depth + 1, base, first, split, at_low, at_high and not self._high & half)
        if right is None:
            right = self._edge(depth + 1, middle, split, end, at_low and bool(self._low & half), at_high)
        return _joined(left, right)

    def _inside(self, depth: int, base: int, first: int, end: int) -> _Node:
        """Return the subtree that holds these entries and nothing else."""
        if end - first < 2:
            return (self._leaves[first], True) if end > first else _EMPTY
        half = 1 << (PATH_BITS - 1 - depth)
        split = bisect_left(self._paths, base + half, first, end)
        return _joined(
            self._inside(depth + 1, base, first, split), self._inside(depth + 1, base + half, split, end)
        )


def _joined(left: _Node, right: _Node) -> _Node:
    for one, other in ((left, right), (right, left)):
        if one[0] == EMPTY_ROOT and (other[1] or other[0] == EMPTY_ROOT):
            return other
    return node_hash(left[0], right[0]), False


def _outside(shown: deque[bytes], base: int, end: int) -> _Node:
    """Take the next subtree of the outside, which must fit between two paths."""
    data = shown.popleft()
    if not data:
        return _EMPTY
    if len(data) == HASH_SIZE and data != EMPTY_ROOT:
        return data, False
    path, hashed_value = data[:HASH_SIZE], data[HASH_SIZE:]
    if len(hashed_value) != HASH_SIZE or not base <= int.from_bytes(path, "big") < end:
        raise _Misplaced
    return leaf_hash(path, hashed_value), True

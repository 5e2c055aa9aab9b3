"""Writing a version of the state tree: a batch of changes, in one walk that rewrites each touched node once.

Rules:
- Changes are sorted by path and go down together; a branch is read once, rewritten once, and only if a leaf
  below it really changed.
- A leaf sits at the shortest prefix that it shares with no other leaf. So an insertion next to a leaf pushes
  that leaf down, and a deletion that leaves one leaf below a branch pulls it up (the branch collapses).
- Every version writes a root node, also one that changes nothing: a copy of the root before, which thereby is
  stale. So the root of version v is always found under v.
- Stale are the nodes of earlier versions that this one replaced, moved or removed: exactly those.
- Who changes a key has mostly read it before. If it had a value, the leaf on the way to its path is its own, and is
  replaced without being read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from runtime.proof import EMPTY_ROOT, key_path, value_hash
from runtime.tree.branch import BRANCH, RADIX, Branch, child_of, replace_child
from runtime.tree.nodes import (
    EMPTY_NODE,
    LEAF,
    VERSION_SIZE,
    Leaf,
    NodeReader,
    TreeUpdate,
    child_key,
    decode_leaf,
    encode_leaf,
    nibble_at,
    place_of,
    read_node,
    root_key,
    stored_hash,
)

UPPER_LEVELS = 3
"""Down to this depth nearly every block changes most branches of a large tree: at most 1 + 16 + 256 + 4096."""


class _Change(NamedTuple):
    """What is to become of a leaf."""

    path: bytes
    leaf: Leaf | None
    """None for it to be gone."""
    replaces: bool
    """Whether the key is known to have had another value; without, it may have had any, or none."""


_Item = TypeVar("_Item", Leaf, _Change)


class _Unchanged(Enum):
    """The answer of a subtree in which nothing changed."""

    UNCHANGED = 0


_UNCHANGED: Final = _Unchanged.UNCHANGED

_Subtree = Leaf | bytes | None
"""A new subtree: a leaf to be placed, the hash of a branch that was written, or nothing."""


def update(
    reader: NodeReader,
    base_version: int | None,
    changes: Mapping[bytes, bytes | None],
    new_version: int,
    before: Mapping[bytes, bytes | None] = MappingProxyType({}),
) -> TreeUpdate:
    """Return what `changes` (key -> value, None deletes) make of the tree of `base_version`.

    `base_version` None is the empty tree. `before` is what is known already of the base's values: it saves reads.
    Nothing is written: storing the result's nodes is up to the caller. Raise MissingNode when a node of the base
    is not there.
    """
    if base_version is not None and new_version <= base_version:
        raise ValueError(f"version {new_version} cannot follow version {base_version}")
    writer = _Writer(reader, new_version)
    root = writer.root(base_version, _sorted(changes, before))
    return TreeUpdate(new_version, root, writer.nodes, writer.stale)


def extend(reader: NodeReader, version: int, entries: Mapping[bytes, bytes], *, first: bool) -> TreeUpdate:
    """Return what more entries make of a tree that grows in place, all under one version, until it is whole.

    `first` says that nothing was stored yet. Nodes may be written anew under their keys; `stale` are those
    whose place is given up, to be removed at once. For a state that comes in parts, not for one that follows
    another.
    """
    writer = _Writer(reader, version)
    root = writer.root(None if first else version, _sorted(entries, {}))
    return TreeUpdate(version, root, writer.nodes, [key for key in writer.stale if key not in writer.nodes])


def _sorted(changes: Mapping[bytes, bytes | None], before: Mapping[bytes, bytes | None]) -> list[_Change]:
    """Return the changes in the order of their paths, without those known to change nothing."""
    found = []
    for key, value in changes.items():
        known = before.get(key)
        if value != known or key not in before:
            path = key_path(key)
            leaf = None if value is None else Leaf(path, value_hash(value), key)
            found.append(_Change(path, leaf, known is not None))
    found.sort(key=itemgetter(0))
    return found


class _Writer:
    """One update under way."""

    def __init__(self, reader: NodeReader, version: int) -> None:
        self.reader = reader
        self.version = version
        self.head = version.to_bytes(VERSION_SIZE, "big")
        self.nodes: dict[bytes, bytes] = {}
        self.stale: list[bytes] = []

    def root(self, base_version: int | None, items: list[_Change]) -> bytes:
        """Write the whole new version; return its root hash."""
        if base_version is None:
            return self._place_root(self._build(_live(items), 0))
        key = root_key(base_version)
        subtree = self._apply(key, False, 0, items) if items else _UNCHANGED
        if subtree is _UNCHANGED:
            data = self.nodes[root_key(self.version)] = read_node(self.reader, key)
            self.stale.append(key)
            return stored_hash(data)
        return self._place_root(subtree)

    def _place_root(self, subtree: _Subtree) -> bytes:
        if subtree is None:
            self.nodes[root_key(self.version)] = EMPTY_NODE
            return EMPTY_ROOT
        if isinstance(subtree, Leaf):
            return self._write_leaf(root_key(self.version), subtree)
        return subtree

    def _apply(self, key: bytes, leaf: bool, depth: int, items: list[_Change]) -> _Subtree | _Unchanged:
        """Change the stored node `key` at `depth`, of which is known whether it is a leaf; `items` lie below it."""
        one = len(items) == 1
        if one and leaf and items[0].replaces:
            self.stale.append(key)
            return items[0].leaf
        data = read_node(self.reader, key)
        if data[0] != BRANCH:
            return self._apply_to_end(key, data, depth, items)
        if one:
            return self._apply_one(key, data, depth, items)
        branch, placed, changed = Branch.decode(data), list[tuple[int, Leaf]](), False
        for nibble, part in _by_nibble(items, depth):
            subtree: _Subtree | _Unchanged
            if branch.child(nibble):
                below = child_key(branch.versions[nibble], part[0].path, depth, nibble)
                subtree = self._apply(below, branch.is_leaf(nibble), depth + 1, part)
            else:
                subtree = self._build(_live(part), depth + 1) or _UNCHANGED
            if subtree is not _UNCHANGED:
                changed = True
                self._set_child(branch, nibble, subtree, placed)
        if not changed:
            return _UNCHANGED
        self.stale.append(key)
        return self._finish(branch, items[0].path, depth, placed)

    def _apply_one(self, key: bytes, data: bytes, depth: int, items: list[_Change]) -> _Subtree | _Unchanged:
        """Do the same to a branch for one change: mostly its bytes need not be taken apart."""
        path = items[0].path
        nibble = nibble_at(path, depth)
        version, was_leaf = child_of(data, nibble)
        place = place_of(path, depth + 1)
        subtree: _Subtree | _Unchanged
        if version:
            subtree = self._apply(version + place, was_leaf, depth + 1, items)
        else:
            subtree = self._build(_live(items), depth + 1) or _UNCHANGED
        if subtree is _UNCHANGED:
            return _UNCHANGED
        self.stale.append(key)
        if version and subtree is not None and was_leaf == isinstance(subtree, Leaf):
            hash = self._write_leaf(self.head + place, subtree) if isinstance(subtree, Leaf) else subtree
            self.nodes[self.head + key[VERSION_SIZE:]], hash = replace_child(data, nibble, self.head, hash)
            return hash
        branch, placed = Branch.decode(data), list[tuple[int, Leaf]]()
        self._set_child(branch, nibble, subtree, placed)
        return self._finish(branch, path, depth, placed)

    def _apply_to_end(
        self, key: bytes, data: bytes, depth: int, items: list[_Change]
    ) -> _Subtree | _Unchanged:
        """Change a leaf, or the root of a tree without any."""
        live = _live(items)
        if data[0] == LEAF:
            leaf = decode_leaf(data)
            if all(item.path != leaf.path for item in items):
                live.append(leaf)
                live.sort()
            if live == [leaf]:
                return _UNCHANGED
        self.stale.append(key)
        return self._build(live, depth)

    def _build(self, live: list[Leaf], depth: int) -> _Subtree:
        """Write a new subtree at `depth` that holds these leaves, sorted by path."""
        if len(live) <= 1:
            return live[0] if live else None
        branch = Branch.empty()
        placed: list[tuple[int, Leaf]] = []
        for nibble, part in _by_nibble(live, depth):
            self._set_child(branch, nibble, self._build(part, depth + 1), placed)
        return self._finish(branch, live[0][0], depth, placed)

    def _set_child(
        self, branch: Branch, nibble: int, subtree: _Subtree, placed: list[tuple[int, Leaf]]
    ) -> None:
        if isinstance(subtree, Leaf):
            branch.set_child(nibble, self.version, subtree.hash, True)
            placed.append((nibble, subtree))
        else:
            branch.set_child(nibble, self.version, subtree or b"", False)

    def _finish(self, branch: Branch, path: bytes, depth: int, placed: list[tuple[int, Leaf]]) -> _Subtree:
        """Write the branch and its new leaves, unless one leaf or nothing is left: then hand that up."""
        hash = branch.hash()
        if hash == EMPTY_ROOT:
            return None
        if branch.single[1]:
            return placed[0][1] if placed else self._take_leaf(branch, path, depth)
        for nibble, leaf in placed:
            self.nodes[child_key(self.version, path, depth, nibble)] = encode_leaf(leaf)
        self.nodes[self.head + place_of(path, depth)] = branch.encode()
        return hash

    def _take_leaf(self, branch: Branch, path: bytes, depth: int) -> Leaf:
        """Take the one stored leaf below a collapsing branch out of its place."""
        nibble = next(nibble for nibble in range(RADIX) if branch.is_leaf(nibble))
        key = child_key(branch.versions[nibble], path, depth, nibble)
        self.stale.append(key)
        return decode_leaf(read_node(self.reader, key))

    def _write_leaf(self, key: bytes, leaf: Leaf) -> bytes:
        self.nodes[key] = encode_leaf(leaf)
        return leaf.hash


def _live(items: list[_Change]) -> list[Leaf]:
    return [item.leaf for item in items if item.leaf is not None]


def _by_nibble(items: list[_Item], depth: int) -> Iterator[tuple[int, list[_Item]]]:
    """Yield the runs of sorted `items` that share nibble number `depth`."""
    start, count = 0, len(items)
    while start < count:
        nibble = nibble_at(items[start][0], depth)
        end = start + 1
        while end < count and nibble_at(items[end][0], depth) == nibble:
            end += 1
        yield nibble, items[start:end] if end - start < count else items
        start = end

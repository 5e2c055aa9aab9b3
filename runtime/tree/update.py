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
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from runtime.proof import EMPTY_ROOT, key_path, value_hash
from runtime.tree.nodes import (
    EMPTY,
    EMPTY_NODE,
    LEAF,
    RADIX,
    Branch,
    Leaf,
    NodeReader,
    RecentBranches,
    TreeUpdate,
    child_key,
    decode_leaf,
    encode_leaf,
    nibble_at,
    node_key,
    read_node,
    root_key,
    stored_hash,
)

UPPER_LEVELS = 3
"""Down to this depth nearly every block changes most branches of a large tree: at most 1 + 16 + 256 + 4096."""

_RECENT = RecentBranches(5 * 1024)
"""Each place of the upper levels once, and room for what dead forks leave. A branch is 3.2 KB beside its bytes, which a
database holds as well: 17 MB at most, 14 MB where the tree is large and nothing forks.

It has no lock: in a process one thread at a time updates trees, whatever number of states they are of."""


class _Change(NamedTuple):
    """What is to become of a leaf; a value hash of None is for one to be gone."""

    path: bytes
    hashed_value: bytes | None
    key: bytes
    replaces: bool
    """Whether the key is known to have a leaf; without, it may have one too."""


_Item = TypeVar("_Item", Leaf, _Change)


class _Unchanged:
    """The answer of a subtree in which nothing changed."""


_UNCHANGED = _Unchanged()

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
            hashed = None if value is None else value_hash(value)
            found.append(_Change(key_path(key), hashed, key, known is not None))
    found.sort()
    return found


class _Writer:
    """One update under way."""

    def __init__(self, reader: NodeReader, version: int) -> None:
        self.reader = reader
        self.version = version
        self.nodes: dict[bytes, bytes] = {}
        self.stale: list[bytes] = []

    def root(self, base_version: int | None, items: list[_Change]) -> bytes:
        """Write the whole new version; return its root hash."""
        if base_version is None:
            return self._place_root(self._build(_live(items), 0))
        key = root_key(base_version)
        data = read_node(self.reader, key)
        subtree: _Subtree | _Unchanged
        if data[0] == EMPTY:
            subtree = self._build(_live(items), 0)
            self.stale.append(key)
        else:
            subtree = self._apply(key, data, 0, items) if items else _UNCHANGED
            if isinstance(subtree, _Unchanged):
                self.nodes[root_key(self.version)] = data
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

    def _apply(self, key: bytes, data: bytes, depth: int, items: list[_Change]) -> _Subtree | _Unchanged:
        """Change the stored node `key`, whose bytes are `data`, at `depth`. `items` (not empty) lie below it."""
        if data[0] == LEAF:
            return self._apply_to_leaf(key, data, depth, items)
        branch, path = _RECENT.take(data) if depth <= UPPER_LEVELS else Branch.decode(data), items[0][0]
        placed: list[tuple[int, Leaf]] = []
        subtree: _Subtree | _Unchanged
        changed = False
        for nibble, part in _by_nibble(items, depth):
            old = branch.child(nibble)
            if old is None:
                subtree = self._build(_live(part), depth + 1)
                if subtree is None:
                    continue
            elif part[0].replaces and len(part) == 1 and branch.is_leaf(nibble):
                leaf = _leaf(part[0])
                hash = None if leaf is None else leaf.hash
                if hash != old:
                    changed = True
                    self.stale.append(child_key(branch.versions[nibble], path, depth, nibble))
                    branch.set_child(nibble, self.version, hash, leaf is not None)
                    placed += [] if leaf is None else [(nibble, leaf)]
                continue
            else:
                child = child_key(branch.versions[nibble], path, depth, nibble)
                subtree = self._apply(child, read_node(self.reader, child), depth + 1, part)
                if isinstance(subtree, _Unchanged):
                    continue
            changed = True
            self._set_child(branch, nibble, subtree, placed)
        if not changed:
            self._keep(data, branch, depth)
            return _UNCHANGED
        self.stale.append(key)
        return self._finish(branch, path, depth, placed)

    def _apply_to_leaf(
        self, key: bytes, data: bytes, depth: int, items: list[_Change]
    ) -> _Subtree | _Unchanged:
        leaf = decode_leaf(data)
        live = _live(items)
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
            branch.set_child(nibble, self.version, subtree, False)

    def _finish(self, branch: Branch, path: bytes, depth: int, placed: list[tuple[int, Leaf]]) -> _Subtree:
        """Write the branch and its new leaves, unless one leaf or nothing is left: then hand that up."""
        hash = branch.hash()
        if hash == EMPTY_ROOT:
            return None
        if branch.single[1]:
            return placed[0][1] if placed else self._take_leaf(branch, path, depth)
        for nibble, leaf in placed:
            self.nodes[child_key(self.version, path, depth, nibble)] = encode_leaf(leaf)
        data = self.nodes[node_key(self.version, path, depth)] = branch.encode()
        self._keep(data, branch, depth)
        return hash

    def _keep(self, data: bytes, branch: Branch, depth: int) -> None:
        """Remember an upper branch as it is stored."""
        if depth <= UPPER_LEVELS:
            _RECENT.put(data, branch)

    def _take_leaf(self, branch: Branch, path: bytes, depth: int) -> Leaf:
        """Take the one stored leaf below a collapsing branch out of its place."""
        nibble = next(nibble for nibble in range(RADIX) if branch.is_leaf(nibble))
        key = child_key(branch.versions[nibble], path, depth, nibble)
        self.stale.append(key)
        return decode_leaf(read_node(self.reader, key))

    def _write_leaf(self, key: bytes, leaf: Leaf) -> bytes:
        self.nodes[key] = encode_leaf(leaf)
        return leaf.hash


def _leaf(item: _Change) -> Leaf | None:
    return None if item.hashed_value is None else Leaf(item.path, item.hashed_value, item.key)


def _live(items: list[_Change]) -> list[Leaf]:
    return [leaf for item in items if (leaf := _leaf(item)) is not None]


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

"""Walking the states of a database: trees, values, history, and the index of what pruning may remove.

- The tree of every state that is kept is complete: each node is there and has the hash that the one above it, or
  the block's header, gives it, and each leaf's value. What versions share is walked once.
- The leaves of the newest tree are the latest values, key by key.
- The newest history entry of a key is its latest value; each older one, and each deletion, is in the stale index
  with the version since which nobody reads it.
- A node that the newest tree does not have is in the stale index: else nothing would ever remove it.
- What the stale index names is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from node.storage import schema
from node.storage.database import Database
from runtime.proof import key_path, value_hash
from runtime.tree import root_key
from runtime.tree.branch import BRANCH, RADIX, Branch
from runtime.tree.nodes import LEAF, child_key, decode_leaf, stored_hash

Progress = Callable[[str, int, int], object]


def verify_states(database: Database, progress: Progress) -> Iterator[str]:
    """Yield the problems of the states that are kept."""
    trees = _Trees(database)
    final = database.final()[0]
    for version in range(database.oldest_state, final + 1):
        yield from trees.walk(version)
        progress("states", version - database.oldest_state + 1, final + 1 - database.oldest_state)
    yield from trees.strays(final)
    yield from _values(database, final)
    yield from _history(database)
    yield from _index(database)


class _Trees:
    """The trees that were walked. A node is known by its key: versions make it different from any other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: set[bytes] = set()

    def walk(self, version: int) -> Iterator[str]:
        """Yield what is wrong with the tree of a version, but for what an earlier one has too."""
        header = self._database.header(version)
        if header is None:
            return
        state = self._database.state(version)
        todo = [(root_key(version), header.state_root, b"", 0)]
        while todo:
            key, hash, path, depth = todo.pop()
            if key in self._seen:
                continue
            self._seen.add(key)
            place = f"state {version}: the tree node at /{path.hex()[:depth]}"
            data = self._database.get(schema.NODE + key)
            if data is None:
                yield f"{place} is missing"
            elif stored_hash(data) != hash:
                yield f"{place} has another hash than the one above it says"
            elif data[0] == LEAF:
                leaf = decode_leaf(data)
                if key_path(leaf.key) != leaf.path:
                    yield f"{place} is a leaf of another key than its path's"
                value = state.get(leaf.key)
                if value is None or value_hash(value) != leaf.hashed_value:
                    yield f"state {version}: the value of key 0x{leaf.key.hex()} is not the state tree's"
            elif data[0] == BRANCH:
                todo += _children(Branch.decode(data), path, depth)

    def strays(self, final: int) -> Iterator[str]:
        """Yield the nodes that no kept tree has, and those of past ones, which pruning does not know of."""
        database = self._database
        with database.iterate(schema.STALE, schema.end_of(schema.STALE)) as entries:
            stale = {target for key, value in entries for target in schema.stale_targets(key, value)}
        live = {key for key, _ in _nodes(database, final)}
        with database.iterate(schema.NODE, schema.end_of(schema.NODE)) as entries:
            for key, _ in entries:
                node, version = key[1:], schema.number_of(key[1 : 1 + schema.U64])
                if node not in self._seen and key not in stale:
                    yield f"tree node 0x{node.hex()} of version {version}: no kept state has it"
                elif node not in live and key not in stale:
                    yield f"tree node 0x{node.hex()} of version {version}: would never be pruned"


def _children(branch: Branch, path: bytes, depth: int) -> Iterator[tuple[bytes, bytes, bytes, int]]:
    place = path.ljust((depth >> 1) + 1, b"\0")
    for nibble in range(RADIX):
        hash = branch.child(nibble)
        if hash:
            key = child_key(branch.versions[nibble], place, depth, nibble)
            yield key, hash, key[schema.U64 + 1 :], depth + 1


def _values(database: Database, final: int) -> Iterator[str]:
    """Yield where the latest values are not those of the newest tree."""
    leaves = [decode_leaf(data) for _, data in _nodes(database, final) if data[0] == LEAF]
    hashes = {leaf.key: leaf.hashed_value for leaf in leaves}
    with database.iterate(schema.FLAT, schema.end_of(schema.FLAT)) as entries:
        for key, data in entries:
            hashed = hashes.pop(key[1:], None)
            if hashed is None:
                yield f"key 0x{key[1:].hex()}: its latest value is not in the state tree"
            elif value_hash(data[schema.U64 :]) != hashed:
                yield f"key 0x{key[1:].hex()}: its latest value is not the state tree's"
    for missing in hashes:
        yield f"key 0x{missing.hex()}: its latest value is missing"


def _nodes(database: Database, version: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the nodes of a version's tree, those that are there: keys and bytes."""
    todo = [(root_key(version), b"", 0)]
    while todo:
        key, path, depth = todo.pop()
        data = database.get(schema.NODE + key)
        if data is None:
            continue
        yield key, data
        if data[0] == BRANCH:
            todo += [
                (child, below, deep) for child, _, below, deep in _children(Branch.decode(data), path, depth)
            ]


def _history(database: Database) -> Iterator[str]:
    """Yield history entries that contradict the latest values, and those that would never be removed."""
    above: tuple[bytes, int] | None = None
    flat = 0
    with database.iterate(schema.HISTORY, schema.end_of(schema.HISTORY)) as entries:
        for entry, data in entries:
            key, version = schema.history_parts(entry)
            place = f"key 0x{key.hex()}, version {version}"
            if above is None or above[0] != key:
                latest = database.get(schema.FLAT + key)
                flat += latest is not None
                expected = schema.TOMBSTONE if latest is None else schema.PRESENT + latest[schema.U64 :]
                written = version if latest is None else schema.number_of(latest[: schema.U64])
                if data != expected or version != written:
                    yield f"{place}: its history is not its latest value"
            elif database.get(schema.stale_key(above[1], schema.STALE_REPLACED, entry)) is None and (
                data != schema.TOMBSTONE
            ):
                yield f"{place}: its history would never be pruned"
            if data != schema.TOMBSTONE and data[:1] != schema.PRESENT:
                yield f"{place}: its history is neither a value nor a deletion"
            if data == schema.TOMBSTONE and (
                database.get(schema.stale_key(version, schema.STALE_TOMBSTONE, entry)) is None
            ):
                yield f"{place}: its deletion would never be pruned"
            above = key, version
    with database.iterate(schema.FLAT, schema.end_of(schema.FLAT)) as entries:
        if sum(1 for _ in entries) != flat:
            yield "some latest values have no history"


def _index(database: Database) -> Iterator[str]:
    with database.iterate(schema.STALE, schema.end_of(schema.STALE)) as entries:
        for key, value in entries:
            for target in schema.stale_targets(key, value):
                if database.get(target) is None:
                    yield f"stale index: names entry 0x{target.hex()}, which is not there"

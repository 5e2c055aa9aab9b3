"""The state tree: a batch of 1,000 updates on 1,000,000 keys on disk, and on ten times as many.

The big trees are made once for a layout of the database, in parts, and kept in the cache folder. Every sample is a
batch of changes of existing keys drawn at random: the new version is computed and written to LevelDB as the node
writes it, in one synced batch. As in a block, the values before are known: a call reads what it changes, and that is
its own cost.
"""

from __future__ import annotations

import os
import random
import shutil
from array import array
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from benchmarks.framework import Bench, Figure, Took
from node.storage import opening, schema
from node.storage.upper_nodes import UpperNodes
from pocl.hashing import hash256
from runtime.proof import key_path
from runtime.tree import TreeUpdate, extend, update

KEYS = 1_000_000
BATCH = 1000
BATCHES = 48
"""So many that the median is not that of the batches in which LevelDB merges files: about two of nine."""
WARM_UP = 12
"""The first batches fill the caches of the upper levels, and are not counted."""

PARTS = 256

FIGURES = (
    Figure("1,000 updates on 1,000,000 keys", "µs / key", floor=50, better="lower"),
    Figure("1,000 updates on 10,000,000 keys", "µs / key"),
    Figure("ten times the keys", "times the cost", floor=1.5, better="lower"),
)


def measure(bench: Bench) -> None:
    """Measure both trees. One sample is the cost of a key in one batch; the ratio is that of the medians."""
    small, large = FIGURES[0].name, FIGURES[1].name
    for figure, keys in ((small, bench.scaled(KEYS)), (large, bench.scaled(10 * KEYS))):
        with bench.folder() as folder:
            shutil.copytree(_tree_of(bench, keys), folder / "tree", copy_function=_share)
            for cost in _batches(bench, folder / "tree", keys):
                bench.add(figure, cost)
    bench.add("ten times the keys", bench.median(large) / bench.median(small))


def _batches(bench: Bench, folder: Path, keys: int) -> Iterator[float]:
    store = Store(folder)
    chosen = random.Random(1)
    values: dict[bytes, bytes] = {}
    for version in range(1, 1 + WARM_UP + BATCHES):
        numbers = {chosen.randrange(keys) for _ in range(BATCH)}
        before = {_key(number): values.get(_key(number), b"%d" % number) for number in numbers}
        changes = dict.fromkeys(before, b"version %d" % version)
        with bench.timed() if version > WARM_UP else nullcontext(Took()) as took:
            store.write(update(store, version - 1, changes, version, before))
        if version > WARM_UP:
            yield took.cpu_s / len(changes) * 1e6
        values |= changes
    store.db.close()


class Store:
    """The nodes of a tree in a LevelDB as the node opens it."""

    def __init__(self, folder: Path) -> None:
        self.db = opening.open_leveldb(folder)
        self._upper = UpperNodes()

    def get_node(self, key: bytes) -> bytes | None:
        return self._upper.nodes.get(key) or self.db.get(schema.NODE + key, verify_checksums=True)

    def write(self, tree: TreeUpdate) -> None:
        """Write what an update made, and the index of what it replaced."""
        with self.db.write_batch(sync=True) as batch:
            for key, node in tree.nodes.items():
                batch.put(schema.NODE + key, node)
            for key, nodes in schema.stale_nodes(tree.version, tree.stale):
                batch.put(key, nodes)
        self._upper.follow(tree)


def _key(number: int) -> bytes:
    """Return the key of an account that does not exist, as long as one that does."""
    return b"system.Account:" + hash256("bench/key", b"%d" % number)


def _share(source: str, target: str) -> None:
    """Copy a file of a database, but share a table: LevelDB never changes one, and a big tree has gigabytes."""
    if source.endswith(".ldb"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _tree_of(bench: Bench, keys: int) -> Path:
    """Return the folder of a tree of version 0 with so many keys, made when it is not there."""
    layout = f"tree-layout-{schema.SCHEMA_VERSION}-"
    folder = bench.cache / f"{layout}{keys}"
    if folder.exists():
        return folder
    for other in bench.cache.glob("tree-*"):
        if not other.name.startswith(layout) or other.suffix:
            shutil.rmtree(other)
    growing = folder.with_suffix(".partial")
    growing.parent.mkdir(parents=True, exist_ok=True)
    store = Store(growing)
    # Part by part in the order of the paths: each part's nodes but the topmost are written once.
    parts = [array("I") for _ in range(PARTS)]
    for number in range(keys):
        parts[key_path(_key(number))[0]].append(number)
    for index, part in enumerate(parts):
        entries = {_key(number): b"%d" % number for number in part}
        grown = extend(store, 0, entries, first=index == 0)
        with store.db.write_batch() as batch:
            for key in grown.stale:
                batch.delete(schema.NODE + key)
            for key, node in grown.nodes.items():
                batch.put(schema.NODE + key, node)
    # As in a node that has run for long: else LevelDB goes on merging files in the measured batches. Without bounds
    # plyvel compacts nothing.
    store.db.compact_range(start=schema.NODE, stop=schema.end_of(schema.NODE))
    store.db.close()
    growing.rename(folder)
    return folder

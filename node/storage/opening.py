"""Opening the database, and refusing one that is in use, of another chain, or damaged: one line each."""

from __future__ import annotations

from pathlib import Path

import plyvel  # type: ignore[import-untyped]

from node.errors import NodeStartError
from node.storage import schema
from node.storage.entries import open_range
from node.storage.errors import reason
from pocl.v1.block_pb2 import Header
from runtime.blocks import header_hash
from runtime.tree import root_key
from runtime.tree.nodes import stored_hash

_OPTIONS = {
    # A damaged log is an error. Without it LevelDB drops the damaged part, which may hold final blocks.
    "paranoid_checks": True,
    "bloom_filter_bits": 10,
    # Most of what is stored is hashes. Compressing it saves a quarter of the disk, and costs LevelDB's threads three
    # quarters of their time. What older programs compressed is read all the same.
    "compression": None,
    "lru_cache_size": 64 * 2**20,
    # Up to twice as much is in memory, while one is written and the next one fills, and the files that it becomes
    # are mapped. Twice the size saves an import a few percent, and costs a node about ten megabytes.
    "write_buffer_size": 8 * 2**20,
}


def open_database(path: Path, genesis_hash: bytes) -> plyvel.DB:
    """Return the LevelDB database in directory `path`, made when there is none, checked against the genesis.

    Raise NodeStartError when it cannot be used.
    """
    _require_usable(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        db = open_leveldb(path)
    except plyvel.CorruptionError as error:
        raise _damaged(path, reason(error)) from None
    except (plyvel.Error, OSError) as error:
        # LevelDB has no error class for it; the text names the file LOCK. It is the same for both kinds of
        # holder.
        if "/LOCK:" in str(error) and (
            "already held" in str(error) or "temporarily unavailable" in str(error)
        ):
            raise NodeStartError(
                f"{path}: another node uses this database: stop it, or give this one another base path"
            ) from None
        raise NodeStartError(f"{path}: cannot open the database: {reason(error)}") from None
    try:
        _check(db, path, genesis_hash)
    except plyvel.Error as error:
        db.close()
        raise _damaged(path, reason(error)) from None
    except BaseException:
        db.close()
        raise
    return db


def open_leveldb(path: Path) -> plyvel.DB:
    """Open LevelDB in directory `path`, made when there is none, with the node's options and without a look inside."""
    return plyvel.DB(str(path), create_if_missing=True, **_OPTIONS)


def _require_usable(path: Path) -> None:
    """Refuse a directory in which LevelDB would start afresh over the remains of a database."""
    if not path.is_dir() or (path / "CURRENT").exists():
        return
    left = next((entry for entry in path.iterdir() if entry.suffix in (".ldb", ".sst")), None)
    if left is not None:
        raise _damaged(path, f"CURRENT is missing beside {left.name}")


def _check(db: plyvel.DB, path: Path, genesis_hash: bytes) -> None:
    found, version = db.get(schema.META_GENESIS), db.get(schema.META_SCHEMA)
    if found is None or version is None:
        with open_range(db, b"", None) as entries:
            if next(entries, None) is not None:
                raise NodeStartError(
                    f"{path}: holds another program's database: give the node another base path"
                )
        with db.write_batch(sync=True) as batch:
            batch.put(schema.META_GENESIS, genesis_hash)
            batch.put(schema.META_SCHEMA, schema.u64(schema.SCHEMA_VERSION))
        return
    if version != schema.u64(schema.SCHEMA_VERSION):
        raise NodeStartError(
            f"{path}: the database has layout {schema.number_of(version)}, not {schema.SCHEMA_VERSION}: "
            "use the program that made it, or another base path"
        )
    if found != genesis_hash:
        raise NodeStartError(
            f"{path}: the database belongs to the chain with genesis 0x{found.hex()}, "
            f"not 0x{genesis_hash.hex()}: give the node that chain's spec, or another base path"
        )
    _check_final(db, path)


def _check_final(db: plyvel.DB, path: Path) -> None:
    """Check that the last final block, its state's root and its number hang together."""
    pointer = db.get(schema.META_FINAL, verify_checksums=True)
    if pointer is None:
        return
    number, hash = pointer[: schema.U64], pointer[schema.U64 :]
    header = db.get(schema.HEADER + number, verify_checksums=True)
    height = schema.number_of(number)
    if header is None or header_hash(Header.FromString(header)) != hash:
        raise _damaged(path, f"the header of final block {height} is not there")
    root = db.get(schema.NODE + root_key(height), verify_checksums=True)
    if root is None or stored_hash(root) != Header.FromString(header).state_root:
        raise _damaged(path, f"the state root of final block {height} is not there")


def _damaged(path: Path, detail: str) -> NodeStartError:
    return NodeStartError(
        f"{path}: the database is damaged ({detail}): restore a copy, or remove it and sync again"
    )

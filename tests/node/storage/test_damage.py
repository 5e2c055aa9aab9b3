"""Damage in the middle of a database that is open: whoever reads there is told, also where a range would end."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plyvel  # type: ignore[import-untyped]
import pytest

from node.storage.database import Database
from node.storage.entries import open_range
from node.storage.errors import StorageError
from node.storage.pruning import Pruning
from tests.node.storage.harness import Opened, long_chain, store

KEYS = [b"key %04d" % number for number in range(2000)]
VALUES = [random.Random(number).randbytes(32) for number in range(2000)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a LevelDB database of one table with some blocks of keys."""
    with plyvel.DB(str(tmp_path), create_if_missing=True) as db:
        with db.write_batch() as batch:
            for entry in zip(KEYS, VALUES, strict=True):
                batch.put(*entry)
        db.compact_range()
    return tmp_path


def spoil_last_block(path: Path) -> None:
    """Change a byte of the last value in the one table of a database."""
    (file,) = path.glob("*.ldb")
    data = bytearray(file.read_bytes())
    data[data.index(VALUES[-1])] ^= 0xFF
    file.write_bytes(data)


def spoil_blocks(file: Path, from_end: int | None = None) -> None:
    """Change all of a table's entries, or its last bytes of them, but not its indices: those are read already."""
    content = file.read_bytes()
    name = b"filter.leveldb.BuiltinBloomFilter2"
    # Behind its name stands where the filter begins, which follows the entries: seven bits a byte, lowest first.
    place, end = content.rindex(name) + len(name), 0
    for index, byte in enumerate(content[place : place + 4]):
        end |= (byte & 127) << 7 * index
        if byte < 128:
            break
    begin = 0 if from_end is None else end - from_end
    with file.open("r+b") as data:
        data.seek(begin)
        data.write(bytes(byte ^ 0xFF for byte in content[begin:end]))


def test_plyvels_own_iterator_takes_damage_for_the_end(table: Path) -> None:
    """Why node/storage/entries.py is there; when this fails, it need not be any more."""
    spoil_last_block(table)
    with plyvel.DB(str(table), paranoid_checks=True) as db, db.iterator(verify_checksums=True) as entries:
        assert 1900 < len(list(entries)) < 2000


@pytest.mark.parametrize("first", [0, 1900, 1999])
def test_a_range_never_ends_in_damage(table: Path, first: int) -> None:
    spoil_last_block(table)
    with plyvel.DB(str(table)) as db:
        with pytest.raises(plyvel.CorruptionError), open_range(db, KEYS[first], None) as entries:
            list(entries)
        with open_range(db, KEYS[10], KEYS[20]) as entries:
            # Who wants no more than what is before it gets that.
            assert [key for key, _ in entries] == KEYS[10:20]
            with pytest.raises(plyvel.CorruptionError):
                entries.seek(KEYS[1999])


def test_a_range_is_from_its_start_up_to_its_end(table: Path) -> None:
    with plyvel.DB(str(table)) as db:
        for stop, inclusive, expected in (
            (KEYS[7], False, KEYS[5:7]),
            (KEYS[7], True, KEYS[5:8]),
            (KEYS[7] + b"\0", True, KEYS[5:8]),
            (KEYS[5], False, []),
            (None, False, KEYS[5:]),
        ):
            with open_range(db, KEYS[5], stop, include_stop=inclusive) as entries:
                assert [key for key, _ in entries] == expected
        with open_range(db, KEYS[5], KEYS[50]) as entries:
            assert next(entries) == (KEYS[5], VALUES[5])
            entries.seek(KEYS[48])
            assert [key for key, _ in entries] == KEYS[48:50]
            assert next(entries, None) is None


READS: dict[str, Callable[[Database], Any]] = {
    "value": lambda database: database.state().get(b"once 3"),
    "old value": lambda database: database.state(2).get(b"number"),
    "values": lambda database: list(database.state().iterate(b"")),
    "old values": lambda database: list(database.state(20).iterate(b"")),
    "justification": lambda database: database.justification(20),
    "block": lambda database: database.block(3),
    "pruning": lambda database: database.prune(),
}


def reopened(opened: Opened) -> Database:
    """Return a database of 40 blocks, all in one table, that is to keep one."""
    chain = long_chain(40)
    database = opened(chain)
    store(database, chain)
    database.set_pruning(Pruning.both(1))
    database.db.compact_range()
    return opened(chain)


@pytest.mark.parametrize("read", READS)
def test_every_read_of_a_damaged_database_says_so(opened: Opened, read: str) -> None:
    database = reopened(opened)
    told: list[StorageError] = []
    database.on_failure = told.append
    (table,) = database.path.glob("*.ldb")
    spoil_blocks(table)
    with pytest.raises(StorageError, match="the database is damaged"):
        READS[read](database)
    assert len(told) == 1


def test_damage_at_the_very_end_stops_pruning_aloud(opened: Opened) -> None:
    database = reopened(opened)
    (table,) = database.path.glob("*.ldb")
    # The index of what is stale comes last.
    spoil_blocks(table, 100)
    with pytest.raises(StorageError, match="the database is damaged"):
        database.prune()

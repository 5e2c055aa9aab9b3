"""What a fault asks of a node, where that is not plain."""

from __future__ import annotations

import random
from pathlib import Path

import plyvel  # type: ignore[import-untyped]
import pytest

from node.storage import schema
from tests.faults.harm import flip_byte, read_through
from tests.faults.network import FaultError
from tests.node.chain_harness import GENESIS, open_at
from tests.node.sync_harness import grow


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    chain = open_at(path)
    grow(chain, 12, epoch=4)
    chain.database.db.compact_range()
    chain.close()
    return path


def test_a_damaged_database_is_told_from_one_that_is_right(database: Path) -> None:
    assert "entries are right" in read_through(database, GENESIS.hash)
    (table,) = database.glob("*.ldb")
    rng = random.Random(1)
    for _ in range(20):
        flip_byte(table, rng.randrange(table.stat().st_size))
    assert read_through(database, GENESIS.hash).startswith(("opened: ", "read: "))


@pytest.mark.parametrize("prefix", [schema.BODY, schema.EVENTS, schema.FLAT])
def test_what_is_wrong_without_an_error_is_a_failure(database: Path, prefix: bytes) -> None:
    with plyvel.DB(str(database)) as db:
        key, _ = next(db.iterator(prefix=prefix + schema.u64(5) if prefix != schema.FLAT else prefix))
        db.delete(key)
    with pytest.raises(FaultError, match="reads without an error, and is wrong"):
        read_through(database, GENESIS.hash)

"""`pocl db verify` on databases that are sound, and on every kind of damage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.chain import Chain
from node.storage import schema
from node.storage.database import Database
from node.storage.pruning import Pruning
from node.tools.verify import verify
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import Justification
from tests.node.chain_harness import GENESIS
from tests.node.sync_harness import grow
from tests.node.tools.harness import BLOCKS

Damage = Callable[[Any], object]


def problems(database: Database) -> list[str]:
    told: list[str] = []
    found = list(verify(database, lambda step, done, total: told.append(step)))
    assert set(told) == {"blocks", "states"}
    return found


@pytest.mark.parametrize(
    "pruning", [Pruning(), Pruning(1, 1), Pruning(7, None), Pruning(3, 15), Pruning(20, 5)]
)
def test_a_sound_database_has_no_problems(chain: Chain, pruning: Pruning) -> None:
    assert problems(chain.database) == []
    chain.database.set_pruning(pruning)
    # Also with pruning under way.
    while chain.database.prune(60):
        assert problems(chain.database) == []
    grow(chain, 4)
    assert problems(chain.database) == []


def at(prefix: bytes, number: int) -> bytes:
    return prefix + schema.u64(number)


def change_header(db: Any) -> None:
    header = Header.FromString(db.get(at(schema.HEADER, 6)))
    header.timestamp_ms += 1
    db.put(at(schema.HEADER, 6), header.SerializeToString(deterministic=True))


def forge(db: Any) -> None:
    key = at(schema.JUSTIFICATION, 20)
    justification = Justification.FromString(db.get(key))
    justification.certificate.signatures[1] = bytes(64)
    db.put(key, justification.SerializeToString(deterministic=True))


def first(db: Any, prefix: bytes, at: int = 0) -> tuple[bytes, bytes]:
    with db.iterator(prefix=prefix) as entries:
        for _ in range(at):
            next(entries)
        found: tuple[bytes, bytes] = next(entries)
    return found


def spoil_value(db: Any) -> None:
    key, value = first(db, schema.FLAT)
    db.put(key, value + b"!")


def remove_value(db: Any) -> None:
    db.delete(first(db, schema.FLAT)[0])


def remove_old_node(db: Any) -> None:
    db.delete(first(db, schema.NODE, 12)[0])


def spoil_node(db: Any) -> None:
    key, value = first(db, schema.NODE, 12)
    db.put(key, value[:40] + bytes((value[40] ^ 1,)) + value[41:])


CASES: list[tuple[Damage, str]] = [
    (lambda db: db.delete(at(schema.HEADER, 6)), "block 6: its header is missing"),
    (change_header, "block 6: its hash is not its header's"),
    (change_header, "block 7: is no child of block 6"),
    (lambda db: db.delete(at(schema.HASH, 6)), "block 6: its hash is not its header's"),
    (lambda db: db.delete(schema.NUMBER + db.get(at(schema.HASH, 6))), "block 6: is not found by its hash"),
    (lambda db: db.put(schema.NUMBER + b"?" * 32, schema.u64(6)), "is none of block 6"),
    (lambda db: db.delete(at(schema.BODY, 6)), "block 6: its body is missing"),
    (lambda db: db.delete(at(schema.EVENTS, 6)), "block 6: its body is missing"),
    (
        lambda db: db.put(at(schema.BODY, 6), db.get(at(schema.BODY, 7))),
        "block 6: its extrinsics are not those of its header",
    ),
    (
        lambda db: db.put(at(schema.EVENTS, 6), db.get(at(schema.EVENTS, 10))),
        "block 6: its events are not those of its header",
    ),
    (lambda db: db.delete(first(db, schema.EXTRINSIC)[0]), "is not found by its hash"),
    (lambda db: db.put(schema.EXTRINSIC + b"?" * 32, schema.location(6, 9)), "block 6 does not have it"),
    (forge, "block 20: certificate: the signature of validator 1 is not valid"),
    (lambda db: db.delete(at(schema.JUSTIFICATION, 10)), "block 10: "),
    (lambda db: db.delete(at(schema.JUSTIFICATION, BLOCKS)), f"block {BLOCKS}: why it is final is missing"),
    (lambda db: db.put(at(schema.HEADER, 99), b""), "is of a block above the last final one"),
    (spoil_value, "its latest value is not the state tree's"),
    (spoil_value, "its history is not its latest value"),
    (remove_value, "its latest value is missing"),
    (
        lambda db: db.put(schema.FLAT + b"more", schema.u64(1) + b"x"),
        "its latest value is not in the state tree",
    ),
    (lambda db: db.put(schema.FLAT + b"more", schema.u64(1) + b"x"), "some latest values have no history"),
    (remove_old_node, "is missing"),
    (spoil_node, "has another hash than the one above it says"),
    (lambda db: db.put(at(schema.NODE, 3) + b"\x01\x70", b"\0"), "of version 3: no kept state has it"),
    (lambda db: db.put(schema.history_key(b"system.Number:", 3), b"\1"), "state 3: the value of key"),
    (lambda db: db.delete(first(db, schema.STALE, 3)[0]), "would never be pruned"),
    (lambda db: db.put(schema.stale_key(5, 0, schema.HISTORY + b"gone"), b""), "stale index: names entry 0x"),
    (lambda db: db.put(*next(schema.stale_nodes(99, [b"gone"]))), "stale index: names entry 0x"),
]


@pytest.mark.parametrize(("damage", "problem"), CASES)
def test_damage_is_found(chain: Chain, damage: Damage, problem: str) -> None:
    damage(chain.database.db)
    found = problems(chain.database)
    assert any(problem in line for line in found), found
    assert all("\n" not in line for line in found)


def test_what_would_never_be_pruned_is_found(chain: Chain) -> None:
    db = chain.database.db
    number = first(db, schema.HISTORY)[0]
    state_key, _ = schema.history_parts(number)
    db.put(schema.history_key(state_key, 1), schema.PRESENT + b"stray")
    lines = problems(chain.database)
    assert any("its history" in line for line in lines), lines


def test_what_pruning_should_have_removed_is_found(chain: Chain) -> None:
    db = chain.database.db
    kept = [(key, db.get(key)) for key in (at(schema.BODY, 3), at(schema.HEADER, 4), at(schema.HASH, 4))]
    chain.database.set_pruning(Pruning.both(5))
    while chain.database.prune():
        pass
    db.delete(at(schema.HEADER, 10))
    for key, value in kept:
        db.put(key, value)
    lines = problems(chain.database)
    assert any("block 3: its body should be pruned" in line for line in lines)
    assert any("block 4: its header should be pruned" in line for line in lines)
    assert any("closes epoch 2, and the block that opened that is missing" in line for line in lines), lines


def test_nonsense_ends_it_with_a_line(chain: Chain) -> None:
    chain.database.db.put(at(schema.HEADER, 5), b"\xff\xff\xff")
    (line,) = verify(chain.database)
    assert "an entry is not what its key says" in line


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_changed_entry_is_always_found(
    long_data: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("entry") / "db"
    shutil.copytree(long_data, path)
    database = Database.open(path, GENESIS.hash)
    try:
        with database.db.iterator() as entries:
            everything = [(key, value) for key, value in entries if key[:1] != schema.META]
        key, value = data.draw(st.sampled_from(everything))
        # Without its own justification a block may be final by that of a later one.
        if value and (key[:1] == schema.JUSTIFICATION or data.draw(st.booleans())):
            place = data.draw(st.integers(0, len(value) - 1))
            database.db.put(key, value[:place] + bytes((value[place] ^ 1,)) + value[place + 1 :])
        else:
            database.db.delete(key)
        assert list(verify(database)), f"{key!r} was changed and nothing seems wrong"
    finally:
        database.close()

"""Chains to store, and the naive answer to what a database must say about them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from node.storage import schema
from node.storage.database import Database
from node.storage.state import StateReader
from pocl.v1.block_pb2 import EventRecord
from runtime.blocks import ExecutedBlock
from runtime.proof import verify_state_proof
from runtime.tree import prove
from tests.runtime.signed_chain import VALIDATORS, SignedChain

Opened = Callable[[SignedChain], Database]

# Keys with what the layout gives a meaning to: zeros, ends of ranges, keys that start with other keys.
KEYS = [b"a", b"a\0", b"a\0\0", b"a\0\xff", b"a" + bytes(8), b"a" + b"\xff" * 8, b"a\xff", b"b", b"\xff\xff"]


def long_chain(count: int) -> SignedChain:
    """Return a chain whose block n sets `number` to n and writes, replaces and deletes a few keys."""
    chain = SignedChain(genesis={b"number": b"0", b"for ever": b"here"})
    for number in range(1, count):
        chain.block(
            {
                b"number": b"%d" % number,
                b"slot %d" % (number % 7): b"%d" % number if number % 3 else None,
                b"once %d" % number: b"x" * (number % 5),
            },
            opens=VALIDATORS if number % 10 == 0 else (),
            extrinsics=[b"extrinsic %d.%d" % (number, index) for index in range(number % 3)],
            events=[
                EventRecord(phase=EventRecord.INITIALIZE, pallet="system", name="E", data=b"%d" % number)
            ],
        )
    return chain


def store(database: Database, chain: SignedChain, blocks: Sequence[ExecutedBlock] | None = None) -> None:
    """Commit a chain's blocks one by one."""
    for block in chain.blocks if blocks is None else blocks:
        number = block.header.number
        database.commit([block], [chain.justification(number)] if number else [])


def check_state(reader: StateReader, chain: SignedChain, version: int, keys: Sequence[bytes] = ()) -> None:
    """Check all that a state reader says about `version`."""
    expected: Mapping[bytes, bytes] = chain.states[version].entries
    assert reader.version == version
    assert list(reader.iterate(b"")) == sorted(expected.items())
    for key in {*keys, *list(expected)[:20], b"absent"}:
        assert reader.get(key) == expected.get(key)
        proof = prove(reader, version, key, expected.get(key))
        assert verify_state_proof(chain.headers[version].state_root, proof)


def entries(database: Database, prefix: bytes) -> list[bytes]:
    """Return the keys under a schema prefix."""
    with database.db.iterator(prefix=prefix, include_value=False) as keys:
        return list(keys)


def expected_history(chain: SignedChain, oldest: int) -> set[bytes]:
    """Return the history entries that the states from `oldest` on need, and no other."""
    needed = set()
    for key in {key for block in chain.blocks for key in block.changes}:
        value, written = None, -1
        for number, state in enumerate(chain.states):
            if state.get(key) != value:
                value, before = state.get(key), written
                written = number
                if number > oldest and before >= 0:
                    needed.add((key, before))
        if value is not None or written > oldest:
            needed.add((key, written))
    for key, version in list(needed):
        # What was deleted by the oldest kept state needs no entry to be absent.
        if chain.states[version].get(key) is None and version <= oldest:
            needed.discard((key, version))
    return {schema.history_key(key, version) for key, version in needed if version >= 0}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Give what opens the test's database for a chain; it is closed at the end, and before it is opened again."""
    last: list[Database] = []

    def open_database(chain: SignedChain) -> Database:
        for database in last:
            database.close()
        last[:] = [Database.open(tmp_path / "db", chain.genesis_hash)]
        return last[0]

    yield open_database
    for database in last:
        database.close()

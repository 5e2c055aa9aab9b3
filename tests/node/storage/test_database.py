"""Final blocks on disk: what commit writes, what reads give back, what is refused."""

from pathlib import Path

import pytest

from node.errors import NodeStartError
from node.storage import schema
from node.storage.database import Database, StorageError
from pocl.extrinsics import extrinsic_hash
from pocl.v1.consensus_pb2 import Justification
from runtime.certificates import verify_justification
from tests.node.storage.harness import Opened, check_state, long_chain, store
from tests.runtime.signed_chain import VALIDATORS, SignedChain

SET = [pair.public for pair in VALIDATORS]


@pytest.fixture(scope="module")
def chain() -> SignedChain:
    return long_chain(26)


def check_blocks(database: Database, chain: SignedChain, upto: int) -> None:
    """Check all that a database says about the blocks up to and above `upto`."""
    assert database.final() == (upto, chain.blocks[upto].hash)
    for number, block in enumerate(chain.blocks[: upto + 1]):
        assert database.hash(number) == block.hash
        assert database.number(block.hash) == number
        assert database.header(number) == database.header(block.hash) == block.header
        assert database.block(number) == database.block(block.hash) == block.block
        assert database.events(number) == block.events
        for index, data in enumerate(block.block.extrinsics):
            assert database.extrinsic_location(extrinsic_hash(data)) == (number, index)
        justification = database.justification(number)
        assert (justification is None) == (number == 0)
        if justification is not None:
            verify_justification(block.header, justification, SET, chain.genesis_hash)
    above = upto + 1
    assert database.hash(above) is database.header(above) is database.block(above) is None
    assert database.events(above) is database.justification(above) is None
    assert (
        database.number(b"?" * 32) is database.header(b"?" * 32) is database.extrinsic_location(b"?") is None
    )


def test_blocks_are_found_again_also_after_a_restart(opened: Opened, chain: SignedChain) -> None:
    database = opened(chain)
    assert database.empty
    with pytest.raises(StorageError, match="no block"):
        database.final()
    store(database, chain)
    check_blocks(database, chain, 25)
    database = opened(chain)
    check_blocks(database, chain, 25)
    for version in (0, 13, 25):
        check_state(database.state(version), chain, version)


def test_blocks_that_became_final_together_share_a_justification(opened: Opened, chain: SignedChain) -> None:
    database = opened(chain)
    store(database, chain, chain.blocks[:3])
    # All of one finalization; the last of it by a descendant's certificate that was stored before its block.
    database.commit(chain.blocks[3:9], [chain.justification(8, certified=9)])
    database.commit(chain.blocks[9:11], [chain.justification(9, certified=10), chain.justification(10)])
    check_blocks(database, chain, 10)
    for version in range(11):
        check_state(database.state(version), chain, version)


def test_what_does_not_follow_is_refused_and_nothing_of_it_stored(opened: Opened, chain: SignedChain) -> None:
    database, blocks = opened(chain), chain.blocks
    with pytest.raises(ValueError, match="genesis block is stored first"):
        database.commit(blocks[:2], [])
    with pytest.raises(ValueError, match="is not the genesis block"):
        database.commit(blocks[1:2], [])
    store(database, chain, blocks[:9])
    other = long_chain(3)
    other.block({b"number": b"other"})
    for wrong in ([blocks[10]], [blocks[8]], [blocks[9], blocks[11]], [other.blocks[3]]):
        with pytest.raises(ValueError, match="does not follow"):
            database.commit(wrong, [chain.justification(9)] * len(wrong))
    with pytest.raises(ValueError, match="2 justifications for 3 blocks"):
        database.commit(blocks[9:12], [chain.justification(9)] * 2)
    with pytest.raises(ValueError, match="block 10 closes its epoch"):
        database.commit(blocks[9:12], [chain.justification(11)])
    check_blocks(database, chain, 8)
    check_state(database.state(), chain, 8)


def test_a_block_that_repeats_a_value_writes_nothing(opened: Opened) -> None:
    chain = SignedChain(genesis={b"key": b"value"})
    chain.block({b"key": b"value", b"absent": None})
    database = opened(chain)
    store(database, chain)
    assert [database.get(schema.history_key(key, 1)) for key in (b"key", b"absent")] == [None, None]
    check_state(database.state(), chain, 1, [b"key"])


def test_a_directory_that_cannot_be_one_is_one_clear_line(tmp_path: Path, chain: SignedChain) -> None:
    path = tmp_path / "file" / "db"
    path.parent.write_text("in the way")
    with pytest.raises(NodeStartError) as refused:
        Database.open(path, chain.genesis_hash)
    assert str(refused.value).startswith(f"{path}: cannot open the database: ")
    assert "\n" not in str(refused.value)


def test_a_database_that_was_closed_can_be_neither_read_nor_written(
    opened: Opened, chain: SignedChain
) -> None:
    database = opened(chain)
    store(database, chain, chain.blocks[:1])
    database.close()
    with pytest.raises(StorageError, match="closed"):
        database.header(0)
    with pytest.raises(StorageError, match="closed"):
        database.commit(chain.blocks[1:2], [Justification()])


def test_every_commit_is_synced(opened: Opened, chain: SignedChain) -> None:
    database = opened(chain)
    batches: list[dict[str, object]] = []

    class Recorded:
        """The database, taking down how batches are written."""

        def write_batch(self, **how: object) -> object:
            batches.append(how)
            return self.db.write_batch(**how)

        def __init__(self) -> None:
            self.db = database.db
            self.get = self.db.get

    recorded = Recorded()
    database.db = recorded
    store(database, chain, chain.blocks[:3])
    database.db = recorded.db
    assert [batch.get("sync") for batch in batches] == [True] * 3

"""What is kept of blocks and of states, apart and together, and that the disk gets the room of the rest."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import NodeStartError
from node.storage import compaction, schema
from node.storage.database import Database
from node.storage.errors import StatePruned
from node.storage.pruning import ARCHIVE, Pruning
from node.storage.pruning_mode import PruningRequest, adopt
from pocl.extrinsics import extrinsic_hash
from runtime.certificates import verify_justification
from tests.node.storage.harness import Opened, check_state, long_chain, store
from tests.runtime.signed_chain import VALIDATORS, SignedChain

SET = [pair.public for pair in VALIDATORS]


def prune_all(database: Database, step: int = 10_000) -> None:
    while database.prune(step):
        pass


def check_kept(database: Database, chain: SignedChain, pruning: Pruning) -> None:
    """Check that a database without blocks above its last final one holds what `pruning` keeps, and no more."""
    final = database.final()[0]
    oldest = pruning.oldest(final)
    first = min(oldest.state, oldest.body)
    epoch = chain.headers[first].epoch
    for block in chain.blocks[: final + 1]:
        number, header = block.header.number, block.header
        assert (database.block(number) is not None) == (database.events(number) is not None)
        assert (database.block(number) is not None) == (number >= oldest.body)
        for data in block.block.extrinsics:
            assert (database.extrinsic_location(extrinsic_hash(data)) is not None) == (number >= oldest.body)
        kept = header.HasField("next_epoch") or header.epoch >= epoch
        assert database.header(number) == (header if kept else None)
        assert database.hash(number) == (block.hash if kept else None)
        assert database.number(block.hash) == (number if kept else None)
        justification = database.justification(number)
        assert (justification is not None) == (kept and number > 0)
        if justification is not None:
            verify_justification(header, justification, SET, chain.genesis_hash)
        if number >= oldest.state:
            check_state(database.state(number), chain, number)
        else:
            with pytest.raises(StatePruned):
                database.state(number)


@pytest.mark.parametrize(
    "pruning", [Pruning(), Pruning(3, 3), Pruning(None, 3), Pruning(3, None), Pruning(2, 14), Pruning(25, 1)]
)
def test_states_and_blocks_are_kept_apart(opened: Opened, pruning: Pruning) -> None:
    chain = long_chain(45)
    database = opened(chain)
    database.set_pruning(pruning)
    store(database, chain, chain.blocks[:38])
    prune_all(database)
    check_kept(database, chain, pruning)
    # It is remembered, and the chain goes on.
    database = opened(chain)
    assert database.pruning == pruning
    store(database, chain, chain.blocks[38:])
    prune_all(database)
    check_kept(database, chain, pruning)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 20)), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_a_changed_mode_keeps_what_there_is(changes: list[tuple[int, int]], step: int) -> None:
    chain = long_chain(41)
    with tempfile.TemporaryDirectory() as path:
        database = Database.open(Path(path), chain.genesis_hash)
        oldest = [0, 0]
        for turn, (states, blocks) in enumerate(changes):
            database.set_pruning(Pruning(states, blocks))
            store(database, chain, chain.blocks[turn * 10 : turn * 10 + 10])
            prune_all(database, step)
            final = database.final()[0]
            oldest = [max(oldest[0], final - states + 1), max(oldest[1], final - blocks + 1)]
            assert [database.oldest_state, database.oldest_body] == oldest
            for number in range(oldest[0], final + 1):
                check_state(database.state(number), chain, number)
            for number in range(final + 1):
                assert (database.block(number) is not None) == (number >= oldest[1])
        database.close()


def test_twice_the_blocks_leave_as_many_keys(opened: Opened) -> None:
    chain = SignedChain(genesis={b"key %d" % key: b"0" for key in range(300)})
    for number in range(1, 401):
        chain.block(
            {b"key %d" % (number * place % 300): b"%d" % number for place in (7, 11, 13)},
            opens=VALIDATORS if number % 50 == 0 else (),
            extrinsics=[b"extrinsic %d" % number],
        )
    database = opened(chain)
    database.set_pruning(Pruning.both(30))
    counts = []
    for half in (chain.blocks[:200], chain.blocks[200:400]):
        for block in half:
            store(database, chain, [block])
            database.prune()
        with database.db.iterator(include_value=False) as keys:
            counts.append(Counter(key[:1] for key in keys))
    first, second = (count.total() for count in counts)
    assert abs(second - first) < first / 10, counts
    # What an epoch leaves for ever is four entries.
    assert counts[1][schema.HEADER] - counts[0][schema.HEADER] == 4
    assert counts[1][schema.BODY] == counts[0][schema.BODY] == 30
    check_kept(database, chain, Pruning.both(30))


def test_an_archive_that_is_asked_for_where_blocks_are_gone_is_refused(opened: Opened) -> None:
    chain = long_chain(12)
    database = opened(chain)
    adopt(database, PruningRequest())
    assert database.pruning == Pruning()
    adopt(database, PruningRequest(states=4))
    assert database.pruning == Pruning(4, None)
    store(database, chain)
    prune_all(database)
    # Nothing said: as it was. More or less than before: from now on.
    adopt(database, PruningRequest())
    adopt(database, PruningRequest(blocks=ARCHIVE))
    assert database.pruning == Pruning(4, None)
    adopt(database, PruningRequest(states=6, blocks=5))
    assert opened(chain).pruning == Pruning(6, 5)
    for what, request in (
        ("state", PruningRequest(states=ARCHIVE)),
        ("blocks", PruningRequest(blocks=ARCHIVE)),
    ):
        database = opened(chain)
        with pytest.raises(
            NodeStartError, match=rf"is pruned \(--{what}-pruning .*cannot become an archive"
        ) as refused:
            adopt(database, request)
        assert "\n" not in str(refused.value)
    assert database.pruning == Pruning(6, 5)
    for nothing in (0, -1, 2**63):
        with pytest.raises(ValueError, match="it may be 1 or more"):
            Pruning.both(nothing)


def test_compaction_gives_the_disk_what_pruning_freed(tmp_path: Path) -> None:
    chain = SignedChain(genesis={b"key": b"value"})
    for number in range(1, 150):
        chain.block(
            {b"key %d" % (number % 5): bytes(200) + b"%d" % number},
            # Bytes that do not compress.
            extrinsics=[b"".join(extrinsic_hash(b"%d %d" % (number, part)) for part in range(512))],
            opens=VALIDATORS if number % 20 == 0 else (),
        )
    database = Database.open(tmp_path, chain.genesis_hash)
    store(database, chain)
    database.db.compact_range()

    def size() -> int:
        return sum(file.stat().st_size for file in tmp_path.glob("*.ldb"))

    before = size()
    assert before > 150 * 16_000
    database.set_pruning(Pruning.both(10))
    prune_all(database)
    assert not database.compact(), "not worth it yet"
    assert size() > before / 2
    calls: list[int] = []
    assert database.compact(at_once=True, between=lambda: calls.append(1))
    assert size() < before / 8
    assert len(calls) == len(list(compaction.slices(149))) > 20
    check_kept(database, chain, Pruning.both(10))

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.compact(at_once=True, between=stop)
    database.close()


def test_compaction_is_due_once_a_quarter_was_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = long_chain(60)
    database = Database.open(tmp_path, chain.genesis_hash)
    store(database, chain)
    assert not compaction.is_due(database.db, 1000)
    monkeypatch.setattr(compaction, "_LEAST_BYTES", 0)
    assert compaction.is_due(database.db, 1000)
    database.set_pruning(Pruning.both(1))
    database.db.compact_range()
    assert not compaction.is_due(database.db, 1)
    prune_all(database)
    assert database.compact()
    assert not database.compact(), "it was done"
    database.close()

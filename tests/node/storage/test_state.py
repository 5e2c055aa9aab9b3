"""State readers and pruning, against a chain that remembers all its states."""

import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.storage import pruning, schema
from node.storage.database import Database, StatePruned, UnknownState
from node.storage.pruning import Pruning
from node.storage.writing import BlockWriter
from runtime.tree import root_key
from tests.node.storage.harness import (
    KEYS,
    Opened,
    check_state,
    entries,
    expected_history,
    long_chain,
    store,
)
from tests.runtime.signed_chain import SignedChain

BATCHES = st.lists(
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from([None, b"", b"\0", b"1", b"22"]), max_size=6),
    min_size=1,
    max_size=6,
)


def chain_of(batches: list[dict[bytes, bytes | None]]) -> SignedChain:
    chain = SignedChain(genesis={b"a": b"first"})
    for batch in batches:
        chain.block(batch)
    return chain


@settings(max_examples=40, deadline=None)
@given(BATCHES, st.sampled_from(KEYS), st.sampled_from(KEYS))
def test_every_version_reads_as_it_was(
    batches: list[dict[bytes, bytes | None]], prefix: bytes, after: bytes
) -> None:
    chain = chain_of(batches)
    with tempfile.TemporaryDirectory() as path:
        database = Database.open(Path(path), chain.genesis_hash)
        readers = []
        for block in chain.blocks:
            store(database, chain, [block])
            readers.append(database.state())
        for version, held in enumerate(readers):
            for reader in (held, database.state(version)):
                check_state(reader, chain, version, KEYS)
                expected = list(chain.states[version].iterate(prefix, after))
                assert list(reader.iterate(prefix, after)) == expected
                assert list(reader.iterate(prefix)) == list(chain.states[version].iterate(prefix))
        database.close()


@settings(max_examples=40, deadline=None)
@given(BATCHES, st.integers(1, 4), st.integers(1, 5))
def test_pruning_leaves_exactly_what_the_kept_states_need(
    batches: list[dict[bytes, bytes | None]], keep: int, step: int
) -> None:
    chain = chain_of(batches)
    final = len(chain.blocks) - 1
    oldest = max(0, final - keep + 1)
    with tempfile.TemporaryDirectory() as path:
        database = Database.open(Path(path), chain.genesis_hash)
        store(database, chain)
        database.set_pruning(Pruning.both(keep))
        while database.prune(max_entries=step):
            # Also between two steps the kept states are whole.
            check_state(database.state(oldest), chain, oldest, KEYS)
        for version in range(oldest, final + 1):
            check_state(database.state(version), chain, version, KEYS)
        for version in range(oldest):
            with pytest.raises(StatePruned, match=f"oldest kept is {oldest}"):
                database.state(version)
        assert set(entries(database, schema.HISTORY)) == expected_history(chain, oldest)
        needed = {
            schema.NODE + key for version in range(oldest, final + 1) for key in reachable(chain, version)
        }
        assert set(entries(database, schema.NODE)) == needed
        database.close()


@pytest.mark.parametrize("step", [1, 2, 3])
def test_what_was_deleted_does_not_come_back_while_pruning(opened: Opened, step: int) -> None:
    chain = SignedChain(genesis={b"key": b"value"})
    chain.block({b"key": None})
    chain.block({})
    database = opened(chain)
    store(database, chain)
    held = database.state(1)
    database.set_pruning(Pruning.both(2))
    while database.prune(max_entries=step):
        check_state(held, chain, 1, [b"key"])
        check_state(database.state(), chain, 2, [b"key"])


def reachable(chain: SignedChain, version: int) -> set[bytes]:
    """Return the keys of the nodes of a version's tree: those made so far but for those that went stale."""
    nodes: set[bytes] = set()
    for block in chain.blocks[: version + 1]:
        nodes = (nodes | block.tree.nodes.keys()) - set(block.tree.stale)
    return nodes


def test_there_is_no_state_of_a_block_that_is_not_final(opened: Opened) -> None:
    chain = long_chain(3)
    database = opened(chain)
    store(database, chain, chain.blocks[:2])
    for number in (2, -1):
        with pytest.raises(UnknownState, match="the last final block is 1"):
            database.state(number)


def test_a_reader_that_is_held_while_its_state_is_pruned_says_so(opened: Opened) -> None:
    chain = long_chain(12)
    database = opened(chain)
    store(database, chain)
    held = database.state(4)
    listing = held.iterate(b"")
    first = next(listing)
    database.set_pruning(Pruning.both(3))
    database.prune()
    for read in (
        lambda: held.get(b"number"),
        lambda: list(held.iterate(b"")),
        lambda: held.get_node(root_key(4)),
    ):
        with pytest.raises(StatePruned, match="after block 4 is pruned: the oldest kept is 9"):
            read()
    # A listing under way sees the database as it was when it began.
    assert [first, *listing] == sorted(chain.states[4].entries.items())


def test_threads_read_whole_states_while_blocks_are_committed_and_pruned(opened: Opened) -> None:
    chain = long_chain(150)
    database = opened(chain)
    database.set_pruning(Pruning.both(4))
    store(database, chain, chain.blocks[:1])
    failures: list[BaseException] = []
    reads = [0, 0, 0]
    done = threading.Event()

    def read(place: int) -> None:
        try:
            while not done.is_set() or not reads[place]:
                try:
                    state = database.state()
                    expected = chain.states[state.version].entries
                    assert state.get(b"number") == expected[b"number"]
                    assert state.get(b"slot 3") == expected.get(b"slot 3")
                    assert state.get(b"once 140") == expected.get(b"once 140")
                    assert dict(state.iterate(b"slot")) == {
                        key: value for key, value in expected.items() if key.startswith(b"slot")
                    }
                except StatePruned:
                    continue
                reads[place] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(place,)) for place in range(len(reads))]
    for thread in threads:
        thread.start()
    for block in chain.blocks[1:]:
        store(database, chain, [block])
        database.prune()
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(reads)


def test_a_reader_is_right_at_every_moment_of_a_commit(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = SignedChain(genesis={b"kept": b"1", b"deleted": b"2", b"replaced": b"3"})
    chain.block({b"deleted": None, b"replaced": b"4", b"new": b"5"})
    database = opened(chain)
    store(database, chain, chain.blocks[:1])
    held = database.state()
    write = BlockWriter.write

    def watched(writer: BlockWriter) -> None:
        for moment in (lambda: None, lambda: write(writer)):
            moment()
            check_state(held, chain, 0, [b"kept", b"deleted", b"replaced", b"new"])

    monkeypatch.setattr(BlockWriter, "write", watched)
    store(database, chain, chain.blocks[1:])
    check_state(held, chain, 0, [b"new"])
    check_state(database.state(), chain, 1, [b"deleted"])


def test_a_reader_says_pruned_from_the_first_removal_on(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = long_chain(12)
    database = opened(chain)
    store(database, chain)
    held = database.state(4)
    prune = pruning.prune

    def watched(*args: Any) -> int:
        removed = prune(*args)
        with pytest.raises(StatePruned):
            held.get(b"number")
        return removed

    monkeypatch.setattr("node.storage.database.prune", watched)
    database.set_pruning(Pruning.both(2))
    assert database.prune()

"""Pruning goes with the chain: however full its blocks are, what waits to be removed stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from node.chain import Chain
from node.storage import schema
from node.storage.pruning import Pruning
from node.tools.block_file import export_blocks, import_blocks
from pocl.v1.consensus_pb2 import Justification
from runtime.blocks import ExecutedBlock
from tests.node.chain_harness import act, certificate, open_at, propose
from tests.node.storage.harness import entries

KEPT = 4
FULL = 12
"""Extrinsics of a block, several times what any commit removes at least."""


@pytest.fixture(autouse=True)
def little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.storage.pruning._LEAST", 3)
    monkeypatch.setattr("node.storage.database._PRUNED_AT_ONCE", 50)
    monkeypatch.setattr("node.storage.database._PRUNED_BESIDE", 7)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    chain = open_at(tmp_path / "chain")
    yield chain
    chain.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Chain]:
    chain = open_at(tmp_path / "other")
    yield chain
    chain.close()


def grow(chain: Chain, blocks: int) -> list[ExecutedBlock]:
    """Make full blocks final one by one."""
    made = []
    for number in range(chain.final_number, chain.final_number + blocks):
        block = propose(chain, chain.final_hash, *(act(number * FULL + place) for place in range(FULL)))
        chain.finalize(block.hash, certificate(block))
        made.append(block)
    return made


def waiting(chain: Chain) -> int:
    """Return how many entries of states wait to be removed, now or when their state is not kept any more."""
    return len(entries(chain.database, schema.STALE))


def overdue(chain: Chain) -> list[bytes]:
    """Return what should be removed by now."""
    stop = schema.STALE + schema.u64(chain.final_number - KEPT + 2)
    return [key for key in entries(chain.database, schema.STALE) if key < stop]


def check_all_is_pruned(chain: Chain) -> None:
    oldest = chain.final_number - KEPT + 1
    assert (chain.database.oldest_state, chain.database.oldest_body) == (oldest, oldest)
    assert not overdue(chain)
    assert len(entries(chain.database, schema.EXTRINSIC)) == KEPT * FULL


def test_full_blocks_leave_nothing_behind(chain: Chain) -> None:
    chain.database.set_pruning(Pruning.both(KEPT))
    grow(chain, 12)
    check_all_is_pruned(chain)
    first = waiting(chain)
    grow(chain, 12)
    check_all_is_pruned(chain)
    assert abs(waiting(chain) - first) < first / 4


def test_a_backlog_shrinks_with_every_block(chain: Chain) -> None:
    """A node that has kept everything is told to keep little: bodies need not wait for states."""
    grow(chain, 12)
    chain.database.set_pruning(Pruning.both(KEPT))
    before = waiting(chain)
    grow(chain, 1)
    assert waiting(chain) < before
    assert len(overdue(chain)) > FULL, "some wait still"
    assert chain.database.oldest_body > 1
    grow(chain, 12)
    check_all_is_pruned(chain)


def test_what_is_taken_in_together_is_pruned_together(chain: Chain, other: Chain) -> None:
    blocks = grow(chain, 24)
    other.database.set_pruning(Pruning.both(KEPT))
    for run in (blocks[:12], blocks[12:]):
        proof = Justification(certificate=certificate(run[-1]))
        other.import_final([block.block for block in run], proof)
        check_all_is_pruned(other)


def test_a_backlog_goes_while_nothing_happens(chain: Chain) -> None:
    grow(chain, 16)
    chain.database.set_pruning(Pruning.both(KEPT))
    turns: list[int] = []
    chain.database.prune_all(between=lambda: turns.append(waiting(chain)))
    assert turns == sorted(turns, reverse=True)
    assert len(turns) > 10, "others got their turns"
    check_all_is_pruned(chain)


def test_an_import_of_blocks_leaves_no_backlog(chain: Chain, other: Chain) -> None:
    grow(chain, 12)
    file = BytesIO()
    export_blocks(chain, 1, 2, file)
    import_blocks(other, BytesIO(file.getvalue()), Path("blocks"))
    file = BytesIO()
    export_blocks(chain, 3, 12, file)
    # What it had kept until now goes as well, however little a commit would remove.
    other.database.set_pruning(Pruning.both(KEPT))
    import_blocks(other, BytesIO(file.getvalue()), Path("blocks"))
    check_all_is_pruned(other)

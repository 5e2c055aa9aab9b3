"""Blocks taken back: the database as it was, and no validator that votes twice."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node import chain_spec
from node.chain import Chain
from node.consensus.log import ConsensusLog, inspect
from node.errors import ConfigError
from node.storage import schema
from node.storage.database import Database
from node.storage.errors import StatePruned
from node.storage.pruning import Pruning
from node.tools.revert import check_votes, forget_votes, revert
from node.tools.verify import verify
from tests.node.chain_harness import open_at
from tests.node.storage.harness import check_state, store
from tests.node.storage.test_state import BATCHES, chain_of
from tests.node.sync_harness import grow
from tests.node.tools.harness import ALICE, BLOCKS
from tests.node.tools.test_blocks import exported, take


def everything(database: Database) -> dict[bytes, bytes]:
    with database.db.iterator() as entries:
        return {key: value for key, value in entries if key != schema.META_PRUNING}


@pytest.mark.parametrize("count", [1, 4, 25, BLOCKS])
def test_the_database_is_as_it_was(chain: Chain, count: int, tmp_path: Path) -> None:
    data = exported(chain)
    target = BLOCKS - count
    assert revert(chain, count) == target
    assert not list(verify(chain.database))
    path = chain.database.path
    chain.close()
    # Other runs of blocks became final together, so justifications may be stored elsewhere.
    fresh, back = open_at(tmp_path / "fresh"), open_at(path)
    try:
        if target:
            take(fresh, exported(back))
        assert fresh.final == back.final
        own, theirs = everything(back.database), everything(fresh.database)
        for key in own.keys() | theirs.keys():
            if key[:1] not in (schema.JUSTIFICATION, schema.META):
                assert own.get(key) == theirs.get(key), key
        # The same blocks come back, or others.
        take(back, data)
        take(fresh, data)
        assert back.final == fresh.final
        assert not list(verify(back.database))
        revert(back, 3)
    finally:
        back.close()
        fresh.close()
    again = open_at(path)
    grow(again, 5, each=1)
    assert again.final_number == BLOCKS + 2
    assert not list(verify(again.database))
    again.close()


@settings(max_examples=12, deadline=None)
@given(BATCHES, st.data())
def test_every_state_comes_back(batches: list[dict[bytes, bytes | None]], data: st.DataObject) -> None:
    chain = chain_of(batches)
    count = data.draw(st.integers(1, len(batches)))
    with tempfile.TemporaryDirectory() as path, tempfile.TemporaryDirectory() as other:
        database, short = (Database.open(Path(at), chain.genesis_hash) for at in (path, other))
        store(database, chain)
        store(short, chain, chain.blocks[: len(chain.blocks) - count])
        for _ in range(count):
            database.revert_last()
        assert everything(database) == everything(short)
        if database.final()[0] == 0:
            with pytest.raises(ValueError, match="block 0 cannot be taken back"):
                database.revert_last()
        for version in range(len(chain.blocks) - count):
            check_state(database.state(version), chain, version)
        store(database, chain, chain.blocks[len(chain.blocks) - count :])
        check_state(database.state(), chain, len(chain.blocks) - 1)
        database.close()
        short.close()


def test_only_what_is_kept_can_be_the_end(chain: Chain) -> None:
    with pytest.raises(ConfigError, match=f"{BLOCKS + 1} blocks cannot be taken back"):
        revert(chain, BLOCKS + 1)
    chain.database.set_pruning(Pruning.both(6))
    while chain.database.prune():
        pass
    with pytest.raises(ConfigError, match="6 blocks cannot be taken back: the state after block"):
        revert(chain, 6)
    assert chain.database.final()[0] == BLOCKS
    assert revert(chain, 5) == BLOCKS - 5
    with pytest.raises(StatePruned):
        chain.database.revert_last()
    assert not list(verify(chain.database))


def test_bodies_that_were_pruned_above_the_new_end_come_back_whole(chain: Chain) -> None:
    data = exported(chain)
    chain.database.set_pruning(Pruning(20, 2))
    while chain.database.prune():
        pass
    path = chain.database.path
    revert(chain, 10)
    assert not list(verify(chain.database))
    chain.close()
    again = open_at(path)
    again.database.set_pruning(Pruning(20, 20))
    take(again, data)
    assert again.database.oldest_body == BLOCKS - 9
    assert not list(verify(again.database))
    again.close()


def test_a_validator_that_has_voted_is_refused(chain: Chain, tmp_path: Path) -> None:
    local, dev = chain_spec.load("local"), chain_spec.load("dev")
    log_file = tmp_path / "consensus" / "log"
    check_votes(local, chain, log_file, keep=False, forget=False)
    ConsensusLog.create(log_file, chain.genesis_hash, ALICE.public, 7).close()
    with pytest.raises(
        ConfigError, match=r"this validator has signed votes .* --unsafe-keep-votes"
    ) as refused:
        check_votes(local, chain, log_file, keep=False, forget=False)
    assert "\n" not in str(refused.value)
    check_votes(local, chain, log_file, keep=True, forget=False)
    # Its votes can be forgotten nowhere but where nobody else agrees with them.
    for spec in (local, dev, dataclasses.replace(local, chain_type="live")):
        with pytest.raises(ConfigError, match="is for development chains of one validator"):
            check_votes(spec, chain, log_file, keep=False, forget=True)
    assert inspect(log_file, chain.genesis_hash, ALICE.public).abstain_until == 7
    assert forget_votes(log_file, chain.genesis_hash)
    assert inspect(log_file, chain.genesis_hash, ALICE.public).abstain_until == 0
    assert not forget_votes(tmp_path / "none", chain.genesis_hash)

"""Joining a chain over real libp2p hosts: from a checkpoint, and then block by block from several peers."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import node.checkpoint
import node.state_pages
from node.checkpoint import CheckpointDownload
from node.config import Checkpoint
from node.storage.importing import StateImport
from node.sync import Synchronizer
from tests.node.chain_harness import GENESIS, open_at
from tests.node.network.harness import until
from tests.node.sync_harness import grow, real_network


async def test_a_node_joins_from_a_checkpoint_and_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (node.state_pages, node.checkpoint):
        monkeypatch.setattr(module, "PART_BYTES", 300)
    source = open_at(tmp_path / "source")
    grow(source, 45)
    checkpoint = Checkpoint(source.database.hash(24) or b"", 24)
    first = real_network(source, tmp_path, 1)
    async with trio.open_nursery() as nursery:
        await nursery.start(first.run)
        second = real_network(source, tmp_path, 2, first.addresses)
        await nursery.start(second.run)

        empty = open_at(tmp_path / "empty")
        joining = real_network(empty, tmp_path, 3, first.addresses + second.addresses)
        await nursery.start(joining.run)
        await until(lambda: len(joining.peers()) == 2, "both peers connected")
        growing = StateImport.open(tmp_path / "db.partial", GENESIS.hash, checkpoint.number, checkpoint.hash)
        await CheckpointDownload(joining, checkpoint, GENESIS.header).run(growing)
        growing.install(tmp_path / "db", GENESIS.hash)

        chain = open_at(tmp_path / "db")
        assert (chain.final_number, chain.final_hash) == (24, checkpoint.hash)
        sync = Synchronizer(chain, margin=0, imported=lambda: None)
        sync.attach(joining)
        nursery.start_soon(sync.run)
        await until(lambda: chain.final_hash == source.final_hash, "caught up")
        nursery.cancel_scope.cancel()
    assert list(chain.final_state().iterate(b"")) == list(source.final_state().iterate(b""))
    for opened in (source, empty, chain):
        opened.close()

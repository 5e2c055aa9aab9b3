"""What a node gives to those that ask it for blocks, and what it does with blocks that are worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from node.chain import Chain
from node.sync import Synchronizer
from node.sync_pages import page, runs_of
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import BlockAnnounce, SyncRequest
from tests.node.chain_harness import act, certificate, close, open_at, propose


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    opened = open_at(tmp_path)
    yield opened
    opened.close()


def grow(chain: Chain, *extrinsics: bytes) -> None:
    """Make a block of each extrinsic final, each with its own certificate."""
    for data in extrinsics:
        block = propose(chain, chain.final_hash, data)
        chain.finalize(block.hash, certificate(block))


def test_a_page_proves_each_epoch_so_that_whoever_asked_can_check_it(chain: Chain, tmp_path: Path) -> None:
    grow(chain, act(0), close(1), act(2), act(3))
    other = open_at(tmp_path / "other")
    numbers = []
    while other.final_number < chain.final_number:
        answer = page(chain, SyncRequest(from_number=other.final_number + 1))
        for blocks, justification in runs_of(answer):
            numbers.append([block.header.number for block in blocks])
            other.import_final(blocks, justification)
    assert numbers == [[1, 2], [3, 4]]
    other.close()


async def test_whoever_brings_blocks_that_are_not_final_is_charged(chain: Chain) -> None:
    charged: list[str] = []
    network: Any = SimpleNamespace(penalize=lambda peer_id, points, reason: charged.append(peer_id))
    sync = Synchronizer(chain, margin=0, imported=lambda: None)
    sync.attach(network)
    block = propose(chain, chain.final_hash, act(0))
    proof = Justification(certificate=certificate(block))
    forged = Justification(certificate=certificate(block))
    forged.certificate.signatures[0] = bytes(64)
    peer: Any = SimpleNamespace(peer_id="liar")
    assert not sync.on_announce(peer, BlockAnnounce(block=block.block, justification=forged))
    assert (charged, chain.final_number) == (["liar"], 0)
    assert sync.on_announce(peer, BlockAnnounce(block=block.block, justification=proof))
    assert (charged, chain.final_number) == (["liar"], 1)

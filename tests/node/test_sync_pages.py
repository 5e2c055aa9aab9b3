"""What a node gives to those that ask it for blocks, and what it does with blocks that are worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from node.chain import Chain
from node.network.answers import MAX_ANSWER
from node.network.decoding import decode_bounded
from node.sync import Synchronizer
from node.sync_pages import page, runs_of
from node.tools.verify import verify
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import Certificate, Justification
from pocl.v1.network_pb2 import BlockAnnounce, SyncRequest, SyncResponse
from runtime.codec import encode
from tests.node.chain_harness import act, certificate, close, open_at, propose
from tests.node.sync_harness import Peers, Remote


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


async def test_a_new_node_gets_past_large_blocks_without_certificates(
    chain: Chain, tmp_path: Path, autojump_clock: Any
) -> None:
    # Ten blocks of 600 KiB, of which only the last one and one behind it were finalized by votes for themselves.
    grow(chain, act(0))
    parent, last = chain.final_hash, None
    for nonce in range(1, 11):
        last = propose(chain, parent, act(nonce, bytes(600_000)))
        parent = last.hash
    assert last is not None
    chain.finalize(last.hash, certificate(last))
    grow(chain, act(11))
    assert sum(chain.final_block(number).ByteSize() for number in range(2, 12)) > 5 * 2**20  # type: ignore[union-attr]

    first = page(chain, SyncRequest(from_number=2))
    assert 1 <= len(first.blocks) < 10
    assert len(first.justification.descendants) == 10 - len(first.blocks)
    # A block that is larger than any page comes alone.
    assert len(page(chain, SyncRequest(from_number=2, max_bytes=1000)).blocks) == 1

    other = open_at(tmp_path / "other")
    peers = Peers(Remote("honest", chain))
    sync = Synchronizer(other, margin=0, imported=lambda: None)
    sync.attach(peers)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run)
        with trio.fail_after(60):
            while other.final_number < chain.final_number:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert not peers.charged
    assert other.final_hash == chain.final_hash
    # What it has taken in so it gives to others in turn.
    for number in range(1, other.final_number + 1):
        again = page(other, SyncRequest(from_number=number, max_blocks=1))
        assert [block.header.number for block in again.blocks] == [number]
    assert not list(verify(other.database))
    other.close()


def test_the_largest_page_fits_an_answer() -> None:
    some = bytes(32)
    header = Header(number=2**40, parent_hash=some, epoch=2**40, view=2**40, timestamp_ms=2**60, author=some)
    header.state_root = header.extrinsics_root = header.events_root = some
    fullest = Block(header=header, extrinsics=[bytes(140)] * (5 * 2**20 // 140))
    # A thousand blocks in a row that were finalized by no votes of their own.
    signed = Certificate(epoch=1, view=1, signers=bytes(8), signatures=[bytes(64)] * 64)
    why = Justification(certificate=signed, descendants=[header] * 1000)
    data = encode(SyncResponse(final_number=2**40, blocks=[fullest], justification=why))
    assert len(data) < 6 * 2**20 < MAX_ANSWER
    assert decode_bounded(SyncResponse, data).blocks[0] == fullest

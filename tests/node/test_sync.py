"""Pages of final blocks, and a node that fetches them from peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from node.chain import Chain
from node.network import RequestFailed
from node.sync import Synchronizer
from node.sync_pages import page
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from tests.node.chain_harness import act, certificate, close, open_at, propose

Answer = Callable[[SyncRequest], SyncResponse]


@pytest.fixture
def chains(tmp_path: Path) -> Iterator[list[Chain]]:
    opened = [open_at(tmp_path / name) for name in ("ahead", "behind")]
    yield opened
    for chain in opened:
        chain.close()


def grow(chain: Chain, *blocks: tuple[bytes, ...]) -> None:
    """Make blocks of these extrinsics, the last of them final by its own certificate and the others by it."""
    tip = chain.final_hash
    for extrinsics in blocks:
        block = propose(chain, tip, *extrinsics)
        tip = block.hash
    chain.finalize(tip, certificate(block))


def numbers(answer: SyncResponse) -> list[int]:
    return [block.header.number for block in answer.blocks]


class Peers:
    """A network of one node behind, and of peers that answer as told."""

    def __init__(self, chain: Chain, margin: int = 0, **answers: tuple[int, Answer]) -> None:
        self.answers = {name: answer for name, (_, answer) in answers.items()}
        self.told: list[Any] = [
            SimpleNamespace(peer_id=name, name=name, final_number=number, validator=None)
            for name, (number, _) in answers.items()
        ]
        self.asked: list[str] = []
        self.charged: list[str] = []
        self.pages = 0
        self.sync = Synchronizer(chain, margin=margin, imported=self._imported)
        self.sync.attach(self)  # type: ignore[arg-type]

    def peers(self) -> list[Any]:
        return self.told

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        self.charged.append(peer_id)

    async def request_sync(self, peer_id: str, request: SyncRequest) -> SyncResponse:
        self.asked.append(peer_id)
        await trio.lowlevel.checkpoint()
        return self.answers[peer_id](request)

    async def run(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.sync.run()

    def _imported(self) -> None:
        self.pages += 1


def test_a_page_shows_why_each_epoch_is_over_and_ends_with_its_own_certificate(chains: list[Chain]) -> None:
    chain = chains[0]
    for nonce, call in enumerate((act, act, close, act)):
        grow(chain, (call(nonce),))
    first = page(chain, SyncRequest(from_number=0))
    assert numbers(first) == [1, 2, 3, 4]
    assert first.final_number == 4
    assert first.justification == chain.justification(4)
    assert not first.justification.descendants
    assert list(first.closing) == [chain.justification(3)]
    # A closing block at the end has its justification as any last block has.
    to_closing = page(chain, SyncRequest(from_number=0, max_blocks=3))
    assert to_closing.justification == chain.justification(3)
    assert not to_closing.closing
    assert numbers(page(chain, SyncRequest(from_number=4))) == [4]
    assert numbers(page(chain, SyncRequest(from_number=1, max_blocks=2))) == [1, 2]
    assert numbers(page(chain, SyncRequest(from_number=1, max_bytes=1))) == [1]
    assert numbers(page(chain, SyncRequest(from_number=5))) == []


def test_a_page_ends_at_a_certificate_or_where_it_must(chains: list[Chain]) -> None:
    chain, other = chains
    grow(chain, (act(0),), (act(1),), (act(2),))
    grow(chain, (act(3),), (act(4),))
    for most, expected in ((1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 3]), (5, [1, 2, 3, 4, 5])):
        answer = page(chain, SyncRequest(from_number=1, max_blocks=most))
        assert numbers(answer) == expected
        assert answer.justification == chain.justification(expected[-1])
    for number in (1, 2, 3, 4, 5):
        alone = page(chain, SyncRequest(from_number=number, max_blocks=1))
        other.import_final(list(alone.blocks), alone.justification)
    assert other.final_hash == chain.final_hash


async def test_a_node_follows_peers_over_epochs(chains: list[Chain], autojump_clock: Any) -> None:
    ahead, behind = chains
    for nonce, call in enumerate((act, close, act, close, act)):
        grow(ahead, (call(nonce),))
    peers = Peers(behind, peer=(5, lambda request: page(ahead, request)))
    await peers.run(5)
    assert behind.final_hash == ahead.final_hash
    assert peers.pages == 3
    assert not peers.charged
    assert not peers.sync.syncing


async def test_bad_empty_and_unanswered_pages_are_charged_and_others_are_asked(
    chains: list[Chain], autojump_clock: Any
) -> None:
    ahead, behind = chains
    grow(ahead, (act(0),))

    def unproven(request: SyncRequest) -> SyncResponse:
        answer = page(ahead, request)
        if answer.blocks:
            answer.justification.certificate.signatures[0] = bytes(64)
        return answer

    def unanswered(request: SyncRequest) -> SyncResponse:
        raise RequestFailed("no answer")

    peers = Peers(
        behind,
        unproven=(9, unproven),
        empty=(8, lambda request: SyncResponse()),
        unanswered=(7, unanswered),
        good=(1, lambda request: page(ahead, request)),
    )
    await peers.run(1.5)
    assert peers.asked[:4] == ["unproven", "empty", "unanswered", "good"]
    assert {"unproven", "empty", "unanswered"} <= set(peers.charged)
    assert "good" not in peers.charged
    assert behind.final_hash == ahead.final_hash


async def test_when_consensus_misses_blocks_peers_are_asked_whatever_they_told(
    chains: list[Chain], autojump_clock: Any
) -> None:
    ahead, behind = chains
    grow(ahead, (act(0),))
    peers = Peers(behind, 8, peer=(0, lambda request: page(ahead, request)))
    await peers.run(5)
    assert not peers.asked  # within the margin, a validator gets its blocks from consensus
    peers.sync.need()
    await peers.run(0.5)
    assert behind.final_hash == ahead.final_hash
    assert "peer" not in peers.charged  # who has no more, and told nothing else, did nothing wrong

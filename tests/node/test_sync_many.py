"""Catching up from several peers at once, whatever some of them do. Pages and single peers are in test_sync.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import node.sync_core
import node.sync_pages
from node.chain import Chain
from node.storage.pruning import Pruning
from node.sync import Synchronizer
from node.sync_pages import page, page_fault, runs_of
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from tests.node.chain_harness import SORTED, certificate, open_at, propose
from tests.node.sync_harness import Peers, Remote, grow

BLOCKS = 60


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    chain = open_at(tmp_path_factory.mktemp("source"))
    grow(chain, BLOCKS)
    yield chain
    chain.close()


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    chain = open_at(tmp_path / "db")
    yield chain
    chain.close()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.sync_pages, "PAGE_BLOCKS", 8)


async def catch_up(chain: Chain, peers: Peers, to: int = BLOCKS, within_s: float = 60.0) -> float:
    """Sync until block `to` is final; return how long that took."""
    sync = Synchronizer(chain, margin=0, imported=lambda: None)
    sync.attach(peers)  # type: ignore[arg-type]
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run)
        with trio.fail_after(within_s):
            while chain.final_number < to:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    return trio.current_time() - began


def test_a_page_goes_over_closing_blocks_and_shows_why_each_is_final(source: Chain) -> None:
    answer = page(source, SyncRequest(from_number=5))
    assert [block.header.number for block in answer.blocks] == list(range(5, BLOCKS + 1))
    runs = list(runs_of(answer))
    assert [run[-1].header.number for run, _ in runs] == [10, 20, 30, 40, 50, 60]
    assert all(not justification.descendants for _, justification in runs)
    assert page_fault(answer, 5) is None
    assert page_fault(answer, 6) is not None
    del answer.closing[1]
    assert page_fault(answer, 5) is not None


def test_a_page_is_bounded_in_blocks_and_bytes(source: Chain) -> None:
    assert len(page(source, SyncRequest(from_number=1, max_blocks=5)).blocks) == 5
    # Block 3 has no certificate of its own: the page goes back to block 2, or shows why block 3 is final by block 4.
    assert len(page(source, SyncRequest(from_number=2, max_blocks=2)).blocks) == 1
    alone = page(source, SyncRequest(from_number=3, max_blocks=1))
    assert [block.header.number for block in alone.blocks] == [3]
    assert [header.number for header in alone.justification.descendants] == [4]
    small = page(source, SyncRequest(from_number=1, max_bytes=2000))
    assert 1 <= len(small.blocks) < 8
    assert sum(block.ByteSize() for block in small.blocks) < 2000
    assert not page(source, SyncRequest(from_number=BLOCKS + 1)).blocks
    assert len(page(source, SyncRequest(from_number=1, max_bytes=1)).blocks) == 1


def test_a_page_has_its_own_bounds_whatever_is_asked_for(
    source: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = SyncRequest(from_number=1, max_blocks=2**31, max_bytes=2**31)
    monkeypatch.setattr(node.sync_pages, "PAGE_BLOCKS", 5)
    assert len(page(source, greedy).blocks) == 5
    monkeypatch.setattr(node.sync_pages, "PAGE_BLOCKS", 256)
    monkeypatch.setattr(node.sync_pages, "PAGE_BYTES", 2000)
    assert 1 <= len(page(source, greedy).blocks) < 8


@pytest.mark.usefixtures("small_pages")
async def test_pages_come_from_several_peers_at_once_and_are_imported_in_order(
    source: Chain, chain: Chain, autojump_clock: Any
) -> None:
    remotes = [Remote(f"peer {number}", source) for number in range(3)]
    peers = Peers(*remotes)
    together = await catch_up(chain, peers)
    assert peers.most_at_once == 3
    assert all(len(remote.requests) >= 2 for remote in remotes)
    assert not peers.charged
    assert chain.final_hash == source.final_hash
    assert together < 0.1 * (BLOCKS / 8) * 0.8


def corrupt_block(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    if answer.blocks:
        answer.blocks[-1].header.timestamp_ms += 1
    return answer


def corrupt_certificate(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    if answer.justification.certificate.signatures:
        answer.justification.certificate.signatures[0] = bytes(64)
    return answer


def corrupt_closing(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    for justification in (*answer.closing, answer.justification):
        if justification.certificate.signatures:
            justification.certificate.signatures[0] = bytes(64)
    return answer


def other_body(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    if answer.blocks:
        answer.blocks[0].extrinsics.append(b"smuggled")
    return answer


def empty(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    return SyncResponse(final_number=answer.final_number)


def boastful(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    return SyncResponse(final_number=request.from_number + 1000)


def from_the_start(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
    """The same blocks again and again: a page that never ends the sync."""
    answer.blocks[0].header.number = max(1, answer.blocks[0].header.number - 1)
    return answer


def silent(request: SyncRequest, answer: SyncResponse) -> None:
    return None


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    "spoil",
    [
        corrupt_block,
        corrupt_certificate,
        corrupt_closing,
        other_body,
        empty,
        boastful,
        from_the_start,
        silent,
    ],
)
async def test_a_bad_peer_is_dropped_and_the_others_go_on(
    source: Chain, chain: Chain, autojump_clock: Any, spoil: Callable[..., Any]
) -> None:
    # The most promising of all: a validator that claims the most.
    bad = Remote("bad", source, validator=SORTED[0].public, spoil=spoil, claims=10**6)
    peers = Peers(bad, Remote("one", source), Remote("two", source))
    took = await catch_up(chain, peers)
    assert chain.final_hash == source.final_hash
    assert set(peers.charged) <= {"bad"}
    assert peers.charged or spoil is silent
    assert took < 15, "one bad peer must not set the pace"
    # At most a request a second goes to it: nothing that a peer says makes this node ask it without end.
    assert len(bad.requests) <= took + 2


@pytest.mark.usefixtures("small_pages")
async def test_a_fork_that_no_quorum_signed_is_refused(
    source: Chain, chain: Chain, tmp_path: Path, autojump_clock: Any
) -> None:
    forked = open_at(tmp_path / "fork")
    block = propose(forked, forked.final_hash)
    forked.finalize(block.hash, certificate(block, SORTED[:3]))
    forked.finalize((other := propose(forked, forked.final_hash)).hash, certificate(other))

    def two_signatures(request: SyncRequest, answer: SyncResponse) -> SyncResponse:
        signed = answer.justification.certificate
        if len(signed.signatures) > 2:
            del signed.signatures[2:]
            signed.signers = b"\x03"
        return answer

    peers = Peers(
        Remote("fork", forked, validator=SORTED[0].public, spoil=two_signatures), Remote("honest", source)
    )
    await catch_up(chain, peers)
    assert chain.final_hash == source.final_hash
    assert peers.charged["fork"] >= 50
    forked.close()


async def test_who_has_pruned_what_we_lack_is_not_charged(
    source: Chain, chain: Chain, tmp_path: Path, autojump_clock: Any
) -> None:
    pruned = open_at(tmp_path / "pruned")
    for blocks, justification in runs_of(page(source, SyncRequest(from_number=1))):
        pruned.import_final(blocks, justification)
    pruned.database.set_pruning(Pruning.both(5))
    while pruned.database.prune():
        pass
    peers = Peers(Remote("pruned", pruned, validator=SORTED[0].public), Remote("archive", source))
    await catch_up(chain, peers)
    assert not peers.charged
    pruned.close()


async def test_a_validator_in_step_does_not_fetch_until_it_is_needed(
    source: Chain, chain: Chain, autojump_clock: Any
) -> None:
    remote = Remote("peer", source, claims=3)
    sync = Synchronizer(chain, margin=8, imported=lambda: None)
    sync.attach(Peers(remote))  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run)
        await trio.sleep(5)
        assert not remote.requests
        sync.need()
        await trio.sleep(5)
        assert chain.final_hash == source.final_hash
        assert not sync.syncing
        asked = len(remote.requests)
        await trio.sleep(5)
        assert len(remote.requests) == asked
        nursery.cancel_scope.cancel()


async def test_pages_that_wait_are_bounded_in_bytes(
    source: Chain, chain: Chain, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.sync_pages, "PAGE_BLOCKS", 4)
    monkeypatch.setattr(node.sync_core, "MAX_HELD_BYTES", 1)
    slow = Remote("slow", source, validator=SORTED[0].public, delay_s=0.9)
    peers = Peers(slow, Remote("quick", source, delay_s=0.01))
    sync = Synchronizer(chain, margin=0, imported=lambda: None)
    sync.attach(peers)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run)
        await trio.sleep(0.5)
        # One page ahead came and waits for the first; no more are asked for.
        assert [request.from_number for request in peers.remotes["quick"].requests] == [5]
        await trio.sleep(60)
        assert chain.final_hash == source.final_hash
        nursery.cancel_scope.cancel()

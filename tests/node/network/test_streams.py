"""What goes over the notification streams, and what happens to peers that send something else."""

from collections import Counter
from pathlib import Path

import pytest

from node.network.session import BLOCKS, TRANSACTIONS
from pocl.v1.network_pb2 import SyncRequest
from tests.node.network.harness import (
    GARBAGE,
    OVERSIZED,
    Node,
    announce,
    connect,
    make_node,
    running,
    until,
    validator,
    vote,
)


async def test_consensus_frames_come_in_order_both_ways(tmp_path: Path) -> None:
    alice = make_node(tmp_path, 1, **validator("//Alice"))
    async with running(alice):
        bob = make_node(tmp_path, 2, bootnodes=tuple(alice.network.addresses), **validator("//Bob"))
        async with running(bob):
            await connect(alice, bob)
            for view in range(1, 301):
                alice.network.broadcast_consensus(vote(view))
                bob.network.broadcast_consensus(vote(1000 + view))
            account = alice.peer(bob).validator
            assert account is not None
            assert alice.network.send_consensus(account, vote(301))
            assert bob.network.send_consensus(bob.peer(alice), vote(1301))
            assert not alice.network.send_consensus(b"n" * 32, vote(302))
            await until(lambda: len(alice.consensus) == len(bob.consensus) == 301, "all votes came")
            assert bob.votes() == list(range(1, 302))
            assert alice.votes() == list(range(1001, 1302))
            assert all(peer.validator == account for peer, _ in alice.consensus)


async def test_transactions_reach_each_node_once_and_do_not_come_back(tmp_path: Path) -> None:
    nodes = [make_node(tmp_path, 1)]
    async with running(nodes[0]):
        bootnodes = tuple(nodes[0].network.addresses)
        nodes += [make_node(tmp_path, seed, bootnodes=bootnodes) for seed in (2, 3)]
        async with running(*nodes[1:]):
            await connect(*nodes)
            batch = [b"%d" % number * 300 for number in range(3000)]
            nodes[0].network.broadcast_transactions(batch)
            await until(lambda: all(len(node.transactions) == 3000 for node in nodes[1:]), "all came")
            nodes[1].network.broadcast_transactions([*batch, b"new"])
            await until(lambda: nodes[0].transactions == [b"new"], "the new one came back alone")
            await until(lambda: len(nodes[2].transactions) == 3001, "and once to the third")
            assert sorted(nodes[2].transactions) == sorted([*batch, b"new"])


async def test_an_announcement_is_relayed_once_by_each_node(tmp_path: Path) -> None:
    first = make_node(tmp_path, 1)
    async with running(first):
        middle = make_node(tmp_path, 2, bootnodes=tuple(first.network.addresses))
        async with running(middle):
            await connect(first, middle)
            # The last node knows the middle alone: one place, taken.
            last = make_node(tmp_path, 3, bootnodes=tuple(middle.network.addresses), max_peers=33)
            async with running(last):
                await connect(middle, last)
                first.network.announce_block(announce(150))
                first.network.announce_block(announce(150))
                await until(lambda: len(last.announces) == 1, "the block came through the middle")
                first.network.announce_block(announce(151))
                await until(lambda: len(last.announces) == 2, "the next block")
                assert [item.block.header.number for item in middle.announces] == [150, 151]
                assert first.announces == []
                assert last.peer(middle).final_number == 151


@pytest.mark.parametrize(
    ("raw", "subject"), [(OVERSIZED, BLOCKS), (GARBAGE, TRANSACTIONS)], ids=["oversized", "garbage"]
)
async def test_a_bad_frame_drops_the_peer_and_the_node_lives(
    tmp_path: Path, raw: bytes, subject: object
) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        bootnodes = tuple(node.network.addresses)
        bad, good = make_node(tmp_path, 2, bootnodes=bootnodes), make_node(tmp_path, 3, bootnodes=bootnodes)
        async with running(bad, good):
            await connect(node, bad, good)
            bad.misbehave(node, raw)
            await until(lambda: len(node.left) == 1, "the peer is dropped")
            assert node.left[0].peer_id == bad.network.peer_id
            assert node.network._reputation.points(bad.network.peer_id) > 40
            await _still_talks(node, good)
            # It may come back once; the second time it is banned.
            await connect(node, bad)
            bad.misbehave(node, raw, subject)  # type: ignore[arg-type]
            await until(lambda: node.network.banned(bad.network.peer_id), "it is banned")
            await _still_talks(node, good)


async def test_a_handler_that_raises_costs_nobody_anything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        other = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(other):
            await connect(node, other)
            # The handlers append to these lists; None has no append.
            node.consensus, node.announces = None, None  # type: ignore[assignment]
            other.network.broadcast_consensus(vote(1))
            other.network.announce_block(announce(1))
            other.network.broadcast_transactions([b"tx"])
            await until(lambda: node.transactions == [b"tx"], "later frames are handled")
            # Each subject has a stream of its own: they come in any order.
            await until(lambda: "handling a consensus message" in caplog.text, "the handler of votes raises")
            node.consensus = []
            await _still_talks(node, other)
            assert node.left == []


async def test_a_silent_peer_is_noticed(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1, silence_s=0.5)
    async with running(node):
        # Its signs of life come every 25 s.
        dead = make_node(tmp_path, 2, silence_s=100.0, bootnodes=tuple(node.network.addresses))
        async with running(dead):
            await until(lambda: len(node.left) > 0, "the silent peer is dropped")
    lively = make_node(tmp_path, 1, silence_s=0.5)
    async with running(lively):
        other = make_node(tmp_path, 2, silence_s=0.5, bootnodes=tuple(lively.network.addresses))
        async with running(other):
            await connect(lively, other)
            session = lively.network._admitted[other.network.peer_id]
            heard = 0

            def heard_again() -> bool:
                nonlocal heard
                heard += session._silent_ticks == 0
                return heard > 20 and session._last_sent > session.peer.connected_at + 0.6  # type: ignore[union-attr]

            await until(heard_again, "signs of life both ways")
            assert lively.left == []


async def _still_talks(node: Node, other: Node) -> None:
    before = len(node.consensus)
    other.network.broadcast_consensus(vote(7))
    await until(lambda: len(node.consensus) == before + 1, "a good peer is heard")


async def test_bytes_are_counted_by_protocol_at_both_ends(tmp_path: Path) -> None:
    alice = make_node(tmp_path, 1)
    async with running(alice):
        bob = make_node(tmp_path, 2, bootnodes=tuple(alice.network.addresses))
        async with running(bob):
            await connect(alice, bob)
            before = Counter(bob.network.traffic.sent)
            bob.network.broadcast_transactions([b"x" * 5000])
            await until(lambda: bool(alice.transactions), "it came")
            await bob.network.request_sync(alice.network.peer_id, SyncRequest(from_number=1))
            there, here = alice.network.traffic, bob.network.traffic
            assert 5000 < here.sent["transactions"] - before["transactions"] < 5100
            assert there.received["transactions"] == here.sent["transactions"]
            assert there.sent["sync"] == here.received["sync"] > 0
            assert there.received["sync"] == here.sent["sync"] > 0
            assert set(here.sent) | set(here.received) <= {
                "consensus",
                "blocks",
                "transactions",
                "sync",
                "peers",
            }

"""What peers may cost, in memory, in time and in places."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from node.network import memory
from node.network import service as network_service
from node.network.decoding import MAX_FIELDS, decode_bounded
from node.network.fairness import Rates, Turns
from node.network.frames import encode_frame
from node.network.link import LinkError
from node.network.outbox import Outbox
from node.network.session import CONSENSUS
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import ConsensusMessage
from pocl.v1.network_pb2 import BlockAnnounce, SyncResponse
from runtime.codec import CodecError, encode
from tests.hostile.attacks import ATTACKS
from tests.hostile.peer import HostilePeer, Target, Ways
from tests.node.network.harness import GENESIS, Node, connect, make_node, running, until, validator, vote


def target_of(node: Node) -> Target:
    return Target(node.network.addresses[0], GENESIS)


def test_a_message_of_empty_messages_is_not_even_decoded() -> None:
    bomb = b"\x0a\x00" * (MAX_FIELDS + 1)
    with pytest.raises(CodecError, match="more than 65536 fields"):
        decode_bounded(SyncResponse, bomb)
    # The richest page an honest node sends.
    blocks = [Block(header=Header(number=number), extrinsics=[b"x" * 130] * 200) for number in range(256)]
    page = SyncResponse(blocks=blocks, final_number=7)
    assert len(encode(page)) > 6 * 2**20
    assert decode_bounded(SyncResponse, encode(page)) == page


def test_a_cut_message_is_refused_by_the_walk_as_well() -> None:
    large = encode(BlockAnnounce(block=Block(header=Header(number=1), extrinsics=[bytes(2**17)])))
    for cut in (1, 3, 2**16):
        with pytest.raises(CodecError):
            decode_bounded(BlockAnnounce, large[:-cut])
    with pytest.raises(CodecError):
        decode_bounded(ConsensusMessage, b"\xff" * 2**17)


class Held:
    """A session that holds so much."""

    def __init__(self, held: int, frames: list[bytes], known: bool = False) -> None:
        self.held = held
        self.known = known
        self.waiting = lambda: frames
        self.waiting_bytes = sum(map(len, frames))
        self.link = SimpleNamespace(buffered=held)


def test_who_holds_most_goes_first_and_validators_last() -> None:
    mib = 2**20
    shared = bytes(20 * mib)
    validators = [Held(25 * mib, [shared], known=True) for _ in range(2)]
    strangers = [Held(5 * mib, [shared]), Held(mib, []), Held(16 * mib + 1, [shared])]
    sessions: Any = [*strangers, *validators]
    ended = memory.too_much(sessions, lambda session: session.known)  # type: ignore[attr-defined]
    # 72 MiB received, 20 MiB of one frame that waits for four: 44 MiB must go.
    assert ended == [strangers[2], strangers[0], strangers[1], validators[1]]
    assert memory.too_much(sessions[:2], lambda session: False) == []
    assert memory.swamping(sessions) == [strangers[2], *validators]
    # A block on its way to all is held once.
    waiting: Any = [Held(mib, [shared]) for _ in range(4)]
    assert memory.too_much(waiting, lambda session: False) == []


async def test_unfinished_frames_are_not_kept_for_ever(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1, silence_s=0.4)
    async with running(node), HostilePeer(target_of(node)).joined() as line:
        await until(lambda: bool(node.network.peers()), "it is a peer")
        await line.write("consensus", encode_frame(bytes(1000))[:-1])
        with trio.move_on_after(20), contextlib.suppress(LinkError):
            while not line.link.dropped.is_set():
                await line.write("blocks", bytes(4))
                await trio.sleep(0.05)
        assert await line.ended(1)


async def test_who_sends_beyond_its_window_is_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_BUFFERED", 2**21)
    node = make_node(tmp_path, 1)
    async with running(node):
        peer = HostilePeer(target_of(node))
        await ATTACKS["window_swamp"](peer)
        assert node.network._reputation.points(peer.peer_id) > 50


async def test_memory_is_bounded_over_all_peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_HELD", 6 * 2**20)
    node = make_node(tmp_path, 1)
    async with running(node):
        bob = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses), **validator("//Bob"))
        async with running(bob), trio.open_nursery() as nursery:
            await connect(node, bob)
            bob.misbehave(node, encode_frame(bytes(3 * 2**20))[:-1])
            hostile = [HostilePeer(target_of(node)) for _ in range(3)]
            for peer in hostile:
                nursery.start_soon(_hold_back, peer)
            await until(lambda: len(node.left) >= 2, "two of three must go")
            held = [session.held for session in node.network._sessions.values()]
            assert sum(held) <= 6 * 2**20
            assert bob.network.peer_id in node.peer_ids
            nursery.cancel_scope.cancel()


async def _hold_back(peer: HostilePeer) -> None:
    try:
        async with peer.joined() as line:
            await line.write("blocks", encode_frame(bytes(2**21))[:-1])
            await trio.sleep_forever()
    except* Exception:
        pass


async def test_strangers_take_turns_and_pay_for_them() -> None:
    turns, order = Turns(), []

    async def work(name: str) -> None:
        for _ in range(3):
            async with turns.turn():
                order.append(name)
                end = time.perf_counter() + 0.02
                while time.perf_counter() < end:
                    pass

    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(work, name)
    # Nine turns, and as long a pause after each.
    assert time.perf_counter() - started >= 2 * 9 * 0.02
    assert sorted(order[:3]) == sorted(order[3:6]) == sorted(order[6:]) == ["a", "b", "c"]


def test_rates_refill_and_forget() -> None:
    now = [0.0]
    rates = Rates(2.0, 3.0, 2, lambda: now[0])
    assert [rates.take("a") for _ in range(4)] == [True, True, True, False]
    assert rates.wait_s("a") == 0.5
    now[0] += 10
    assert [rates.wait_s("a") for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
    assert rates.take("b")
    assert rates.take("c")
    # Two are remembered: "a" starts anew.
    assert rates.wait_s("a") == 0


async def test_those_who_only_shake_hands_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_service, "_UNADMITTED", 3)
    node, doors = make_node(tmp_path, 1), list[HostilePeer]()
    async with running(node), trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(_stand_in_the_door, HostilePeer(target_of(node)), doors)
        await until(lambda: len(doors) == 6, "six came")
        await until(lambda: len(node.network._sessions) == 3, "three of them were sent away")
        honest = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(honest):
            await connect(node, honest)
        nursery.cancel_scope.cancel()


async def _stand_in_the_door(peer: HostilePeer, doors: list[HostilePeer]) -> None:
    try:
        async with peer.connected():
            doors.append(peer)
            await trio.sleep_forever()
    except* Exception:
        pass


async def test_a_peer_that_reads_nothing_costs_a_strangers_queue(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        deaf = HostilePeer(target_of(node), ways=Ways(deaf=True))
        async with deaf.joined():
            await until(lambda: bool(node.network.peers()), "it is a peer")
            frame = vote(1)
            for _ in range(CONSENSUS.max_frames // 8 + 4000):
                node.network.broadcast_consensus(frame)
                if not node.network.peers():
                    break
            await until(lambda: not node.network.peers(), "it is dropped")
    assert [peer.peer_id for peer in node.left] == [deaf.peer_id]


def test_one_frame_larger_than_a_strangers_queue_still_goes() -> None:
    box = Outbox(100, 1000, drop_oldest=False)
    box.restrict(10, 100)
    assert box.put(bytes(900))
    assert not box.put(bytes(900))

"""Sync and blob requests between real nodes."""

import random
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from node.network import RequestFailed
from node.network.session import MAX_REQUESTS
from pocl.hashing import BLOB_CHUNK
from pocl.keys import Keypair
from pocl.v1.network_pb2 import SyncRequest
from pocl.v1.worker_service_pb2 import BlobVisibility
from tests.node.network.harness import LyingBlobStore, connect, make_node, running, validator

DATA = random.Random(1).randbytes(2**20 + 2 * BLOB_CHUNK + 777)
PUBLIC = BlobVisibility.PUBLIC


async def test_sync_round_trip(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        other = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(other):
            await connect(node, other)
            request = SyncRequest(from_number=5, max_blocks=3)
            answer = await other.network.request_sync(node.network.peer_id, request)
            assert [block.header.number for block in answer.blocks] == [5, 6, 7]
            assert answer.final_number == other.peer(node).final_number == 1001
            with pytest.raises(RequestFailed, match="not connected"):
                await other.network.request_sync("12D3KooWnobody", request)


async def test_many_requests_at_once_are_all_answered(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        other = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(other):
            await connect(node, other)
            answers = []

            async def ask(number: int) -> None:
                request = SyncRequest(from_number=number)
                answers.append(await other.network.request_sync(node.network.peer_id, request))

            async with trio.open_nursery() as nursery:
                for number in range(3 * MAX_REQUESTS):
                    nursery.start_soon(ask, number)
            numbers = sorted(answer.blocks[0].header.number for answer in answers)
            assert numbers == list(range(3 * MAX_REQUESTS))


async def test_a_blob_of_many_chunks_comes_whole(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    name = node.blobs.put(DATA, 1, PUBLIC)
    empty = node.blobs.put(b"", 1, PUBLIC)
    async with running(node):
        other = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(other):
            await connect(node, other)
            assert await other.network.fetch_blob(name, len(DATA)) == DATA
            assert await other.network.fetch_blob(empty, 0) == b""
            assert other.blobs.stat(name) is None
            # One byte less is allowed: given up at once, and no fault of the peer.
            assert await other.network.fetch_blob(name, len(DATA) - 1) is None
            assert other.network._reputation.points(node.network.peer_id) == 0


async def test_a_blob_is_given_when_it_may_be(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    name = node.blobs.put(DATA, 1, BlobVisibility.AFTER_REVEAL)
    node.withheld.add(name)
    async with running(node):
        other = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(other):
            await connect(node, other)
            assert await other.network.fetch_blob(name, 2**22, timeout_s=0.3) is None
            got: list[bytes | None] = []

            async def fetch() -> None:
                got.append(await other.network.fetch_blob(name, 2**22))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch)
                node.withheld.clear()
            assert got == [DATA]


async def test_a_corrupting_holder_is_charged_and_another_peer_goes_on(tmp_path: Path) -> None:
    liar = make_node(tmp_path, 1, store=LyingBlobStore, **validator("//Bob"))
    name = liar.blobs.put(DATA, 1, PUBLIC)
    async with running(liar):
        honest = make_node(tmp_path, 2, bootnodes=tuple(liar.network.addresses))
        honest.blobs.put(DATA, 1, PUBLIC)
        other = make_node(tmp_path, 3, bootnodes=tuple(liar.network.addresses))
        async with running(honest, other):
            await connect(liar, honest, other)
            holder = Keypair.from_uri("//Bob").public
            assert await other.network.fetch_blob(name, 2**22, holder=holder) == DATA
            assert other.network._reputation.points(liar.network.peer_id) > 40
            assert other.network._reputation.points(honest.network.peer_id) == 0


async def test_a_holder_that_never_answers_keeps_a_blob_from_nobody(tmp_path: Path) -> None:
    silent = make_node(tmp_path, 1, **validator("//Bob"))
    name = silent.blobs.put(DATA, 1, PUBLIC)
    async with running(silent):
        honest = make_node(tmp_path, 2, bootnodes=tuple(silent.network.addresses))
        honest.blobs.put(DATA, 1, PUBLIC)
        other = make_node(tmp_path, 3, bootnodes=tuple(silent.network.addresses))
        async with running(honest, other):
            await connect(silent, honest, other)

            stop = threading.Event()

            def never(name: bytes, offset: int, max_bytes: int) -> bytes | None:
                stop.wait(30)
                return None

            silent.blobs.read_chunk = never  # type: ignore[method-assign]
            holder = Keypair.from_uri("//Bob").public
            got = await other.network.fetch_blob(name, 2**22, holder=holder, timeout_s=5)
            stop.set()
            assert got == DATA


async def test_blobs_that_nobody_gives_hold_up_no_other(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    name = node.blobs.put(DATA, 1, PUBLIC)
    async with running(node):
        other = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(other):
            await connect(node, other)
            async with trio.open_nursery() as nursery:
                for lost in range(8):
                    nursery.start_soon(other.network.fetch_blob, bytes([lost]) * 32, 2**22, None, 60.0)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert await other.network.fetch_blob(name, 2**22, timeout_s=5) == DATA
                nursery.cancel_scope.cancel()


async def test_a_pull_goes_on_with_another_peer_when_the_first_goes_away(tmp_path: Path) -> None:
    first = make_node(tmp_path, 1, **validator("//Bob"))
    name = first.blobs.put(DATA, 1, PUBLIC)
    async with running(first):
        second = make_node(tmp_path, 2, bootnodes=tuple(first.network.addresses))
        second.blobs.put(DATA, 1, PUBLIC)
        other = make_node(tmp_path, 3, bootnodes=tuple(first.network.addresses))
        async with running(second, other):
            await connect(first, second, other)
            asked: list[int] = []
            read = first.blobs.read_chunk

            def once(name: bytes, offset: int, max_bytes: int) -> bytes | None:
                asked.append(offset)
                return read(name, offset, max_bytes) if len(asked) == 1 else None

            first.blobs.read_chunk = once  # type: ignore[method-assign]
            rest: list[int] = []
            read_second = second.blobs.read_chunk

            def noted(name: bytes, offset: int, max_bytes: int) -> bytes | None:
                rest.append(offset)
                return read_second(name, offset, max_bytes)

            second.blobs.read_chunk = noted  # type: ignore[method-assign]
            holder = Keypair.from_uri("//Bob").public
            assert await other.network.fetch_blob(name, 2**22, holder=holder) == DATA
            assert asked == [0, 2**20]
            assert rest == [2**20]

"""ChainService over a real channel: blocks, headers, justifications, the stream of final blocks."""

from __future__ import annotations

from itertools import pairwise

from pocl.client import Client
from runtime.blocks import header_hash
from runtime.certificates import verify_justification
from tests.node.rpc.harness import ALICE, BOB, EVE, Node, refused


def test_info_and_blocks_by_number_by_hash_and_latest(node: Node) -> None:
    node.client.submit(
        node.client.sign(EVE, node.client.call("coin", "transfer", dest=BOB.address, amount=5))
    )
    first = node.author()
    second = node.author()
    third = node.propose()
    info = node.client.info()
    assert (info.chain, info.genesis_hash) == ("pocl-dev", node.chain.genesis_hash)
    assert (info.final_number, info.final_hash, info.state_root) == (2, second.hash, second.header.state_root)
    assert (info.best_number, info.best_hash) == (3, third.hash)
    view = node.client.block(1)
    assert view == node.client.block(first.hash)
    assert view.final
    assert view.block == first.block
    assert list(view.events) == list(first.events)
    assert header_hash(view.block.header) == view.hash == first.hash
    assert len(view.extrinsic_hashes) == 1
    assert node.client.block().hash == second.hash
    pending = node.client.block(third.hash)
    assert (pending.final, pending.hash, pending.block) == (False, third.hash, third.block)


def test_what_is_not_there_and_what_cannot_be(node: Node) -> None:
    node.author()
    with refused("NOT_FOUND") as message:
        node.client.block(2)
    assert message == ["block 2 is not final yet: the last final block is 1"]
    with refused("NOT_FOUND"):
        node.client.block(b"x" * 32)
    with refused("INVALID_ARGUMENT"):
        node.client.block(b"x" * 31)
    with refused("NOT_FOUND"):
        node.client.justification(b"x" * 32)
    with refused("FAILED_PRECONDITION"):
        node.client.justification(0)


def test_headers_come_in_pages_and_link(node: Node) -> None:
    node.author(300)
    headers = list(node.client.headers())
    assert [header.number for header in headers] == list(range(301))
    for before, header in pairwise(headers):
        assert header.parent_hash == header_hash(before)
    assert [header.number for header in node.client.headers(299)] == [299, 300]
    assert list(node.client.headers(301)) == []


def test_a_justification_makes_its_block_final(node: Node) -> None:
    node.author()
    node.propose()
    node.finalize(node.propose())  # final by its child
    header = node.client.block(2).block.header
    justification = node.client.justification(2)
    assert len(justification.descendants) == 1
    verify_justification(header, justification, [ALICE.public], node.chain.genesis_hash)


def test_following_final_blocks_misses_none_and_repeats_none(node: Node) -> None:
    node.author(3)
    old = node.client.blocks(2, timeout_s=60)
    assert [next(old).block.header.number for _ in range(2)] == [2, 3]
    # Two blocks that become final at once, then one more.
    node.propose()
    node.finalize(node.propose())
    node.author()
    assert [next(old).block.header.number for _ in range(3)] == [4, 5, 6]
    # From a block that is not there yet: nothing before it.
    later = node.client.blocks(8, timeout_s=60)
    node.author(3)
    assert next(later).block.header.number == 8
    old.close()  # type: ignore[attr-defined]


def test_a_cancelled_stream_gives_its_thread_back(node: Node) -> None:
    node.author()
    for _ in range(3 * 32):
        with Client(node.server.address) as client:
            stream = client.blocks(1, timeout_s=60)
            assert next(stream).block.header.number == 1
            stream.close()  # type: ignore[attr-defined]

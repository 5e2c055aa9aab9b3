"""StateService over a real channel: storage, proofs, accounts, metadata."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from node.storage.pruning_mode import PruningRequest
from pallets.assembly import RUNTIME
from pocl.extrinsics import u128, u128_int
from pocl.hashing import hash256
from pocl.v1.proof_pb2 import StateRange
from pocl.v1.state_service_pb2 import ListStorageRequest
from runtime.proof import verify_state_proof
from runtime.range_proof import verify_range
from runtime.tree import prove_range
from tests.node.rpc.harness import ALICE, BOB, EVE, Node, refused, running_node, small


def send(node: Node, amount: int, tip: int = 0) -> None:
    call = node.client.call("coin", "transfer", dest=BOB.address, amount=amount)
    node.client.submit(node.client.sign(EVE, call, tip=tip))


def test_metadata_is_the_runtimes(node: Node) -> None:
    assert node.client.schema.metadata == RUNTIME.metadata()


def test_storage_of_now_and_of_an_earlier_block(node: Node) -> None:
    send(node, 700)
    node.author()
    before = node.client.storage("system", "Account", EVE.address, number=0)
    after = node.client.storage("system", "Account", EVE.address)
    assert (u128_int(before.reserved), u128_int(after.reserved)) == (0, 700)
    assert node.client.storage("system", "Number") == 1
    assert node.client.storage("system", "Account", b"n" * 32) is None
    assert node.client.storage("coin", "Queued", number=0) == 0
    with refused("NOT_FOUND"):
        node.client.storage("system", "Number", number=2)


def test_entries_come_in_pages_of_one_block(node: Node) -> None:
    schema = node.client.schema
    entries = list(node.client.entries("system", "Account"))
    listed = sorted(account for account, _ in node.config.chain.genesis.balances)
    assert [key for (key,), _ in entries] == listed
    request = ListStorageRequest(prefix=schema.key("system", "Account"), limit=4)
    state = node.client._connection.state
    first = state.ListStorage(request, timeout=20)
    assert len(first.entries) == 4
    assert first.next == first.entries[-1].key
    request.after = first.next
    rest = state.ListStorage(request, timeout=20)
    assert len(rest.entries) == len(listed) - 4
    assert not rest.next
    with refused("INVALID_ARGUMENT"):
        node.client._connection.call(state.ListStorage, ListStorageRequest(limit=1001))


def test_a_proof_of_a_value_and_of_its_absence(node: Node) -> None:
    send(node, 1)
    block = node.author()
    there = node.client.proof("system", "Account", EVE.address)
    assert (there.number, there.block_hash, there.state_root) == (1, block.hash, block.header.state_root)
    assert there.proof.exists
    assert u128_int(there.value.reserved) == 1
    assert verify_state_proof(block.header.state_root, there.proof)
    absent = node.client.proof("system", "Account", b"n" * 32)
    assert not absent.proof.exists
    assert absent.value is None
    assert verify_state_proof(block.header.state_root, absent.proof)
    old = node.client.proof("system", "Account", EVE.address, number=0)
    genesis = node.chain.database.header(0)
    assert genesis is not None
    assert verify_state_proof(genesis.state_root, old.proof)
    assert not verify_state_proof(block.header.state_root, old.proof)


def test_an_account_counts_what_waits_in_the_pool(node: Node) -> None:
    send(node, 10)
    send(node, 20)
    view = node.client.account(EVE.address)
    assert (view.nonce, view.pool_nonce, view.free, view.number) == (0, 2, u128(10**18), 0)
    node.propose()  # included, not final
    view = node.client.account(EVE.address)
    assert (view.nonce, view.pool_nonce) == (0, 2)
    node.author()
    view = node.client.account(EVE.address)
    assert (view.nonce, view.pool_nonce, u128_int(view.reserved)) == (2, 2, 30)
    nobody = node.client.account(b"n" * 32)
    assert (nobody.nonce, nobody.free, nobody.reserved) == (0, u128(0), u128(0))
    with refused("INVALID_ARGUMENT"):
        node.client.account(ALICE.address[:-1])


def test_a_pruned_state_is_a_failed_precondition(tmp_path: Path) -> None:
    with running_node(tmp_path, pruning=PruningRequest.both(2)) as node:
        node.author(6)
        assert node.client.storage("system", "Number", number=5) == 5
        with refused("FAILED_PRECONDITION"):
            node.client.storage("system", "Number", number=3)
        with refused("FAILED_PRECONDITION"):
            node.client.account(EVE.address, number=1)
        with refused("NOT_FOUND"):
            node.client.block(1)
        assert node.client.justification(1).certificate.block_hash


def test_ranges_in_a_row_give_the_whole_state_with_proofs(node: Node) -> None:
    send(node, 1)
    block = node.author()
    send(node, 2)
    node.author()
    entries: dict[bytes, bytes] = {}
    start, parts = b"", 0
    while True:
        answer = node.client.state_range(start, max_bytes=500, number=1)
        assert (answer.number, answer.block_hash) == (1, block.hash)
        assert answer.state_root == block.header.state_root
        assert verify_range(block.header.state_root, answer.range)
        assert not verify_range(node.chain.final.state_root, answer.range), "another block's state"
        entries |= {entry.key: entry.value for entry in answer.range.entries}
        parts += 1
        if answer.range.last:
            break
        last = int.from_bytes(hash256("", answer.range.entries[-1].key), "big")
        start = (last + 1).to_bytes(32, "big")
    assert parts > 3
    assert entries == dict(node.chain.final_state(1).iterate(b""))
    newest = node.client.state_range()
    assert (newest.number, newest.range.last) == (2, True)
    assert verify_range(node.chain.final.state_root, newest.range)
    for start, size in ((bytes(31), 0), (bytes(33), 0), (b"", 2**20 + 1)):
        with refused("INVALID_ARGUMENT"):
            node.client.state_range(start, max_bytes=size)
    with refused("NOT_FOUND"):
        node.client.state_range(number=3)


def test_a_range_has_a_bounded_number_of_entries(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.rpc.state_service.MAX_ENTRIES", 3)
    answer = node.client.state_range()
    assert (len(answer.range.entries), answer.range.last) == (3, False)
    assert verify_range(node.chain.final.state_root, answer.range)


def test_ranges_are_made_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> StateRange:
        began.set()
        assert go_on.wait(20)
        return prove_range(*arguments)

    monkeypatch.setattr("node.rpc.state_service.prove_range", slow)
    with running_node(tmp_path, small(ranges_per_host=1)) as node, ThreadPoolExecutor(1) as other:
        first = other.submit(node.client.state_range)
        assert began.wait(20)
        try:
            with refused("RESOURCE_EXHAUSTED") as message:
                node.client.state_range()
            assert "range proofs are being made for your address" in message[0]
            assert node.client.info().final_number == 0, "the rest goes on"
        finally:
            go_on.set()
        assert first.result().range.last
        assert node.client.state_range().range.last

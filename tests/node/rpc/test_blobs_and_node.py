"""BlobsService and NodeService over a real channel."""

from __future__ import annotations

from node.rpc.node_service import NodeService
from pocl.hashing import BLOB_CHUNK, blob_name
from pocl.v1.blobs_service_pb2 import GetBlobRequest
from pocl.v1.node_service_pb2 import GetStatusRequest
from pocl.v1.worker_service_pb2 import AFTER_REVEAL, PRIVATE, PUBLIC
from tests.node.rpc.harness import ALICE, BOB, EVE, FakeCall, Node, refused

BIG = bytes(range(256)) * (BLOB_CHUNK // 100)


def test_a_blob_goes_to_clients_when_it_goes_to_peers(node: Node) -> None:
    public = node.blobs.put(BIG, 1, PUBLIC)
    assert node.client.blob(public) == BIG
    stat = node.client._connection.blobs.Stat
    assert (stat(GetBlobRequest(hash=public)).here, stat(GetBlobRequest(hash=public)).size) == (
        True,
        len(BIG),
    )
    for data, visibility in ((b"private", PRIVATE), (b"not yet", AFTER_REVEAL)):
        name = node.blobs.put(data, 1, visibility)
        with refused("NOT_FOUND") as hidden:
            node.client.blob(name)
        assert not stat(GetBlobRequest(hash=name)).here
        with refused("NOT_FOUND") as missing:
            node.client.blob(blob_name(b"other"))
        # Nothing tells a hidden blob from one that is not here.
        assert hidden[0].replace(name.hex(), "") == missing[0].replace(blob_name(b"other").hex(), "")
    with refused("INVALID_ARGUMENT"):
        node.client.blob(b"short")


def test_what_the_node_says_of_itself(node: Node) -> None:
    node.author(2)
    node.propose()
    info = node.client.node_info()
    assert (info.name, info.role, info.chain, info.validator) == (
        "alice",
        "validator",
        "pocl-dev",
        ALICE.public,
    )
    assert (info.peer_id, info.peers, list(info.finality_ms)) == ("12D3KooSelf", 1, [12, 9])
    assert (info.epoch, info.view, info.leader) == (1, 7, ALICE.public)
    assert (info.final_number, info.best_number, info.worker) == (2, 3, "off")
    (peer,) = node.client.peers()
    assert peer.validator == BOB.public


def test_why_it_is_stuck(node: Node) -> None:
    node.author(2)
    status = node.client.status()
    assert status.state == "stuck"
    assert status.sentence == (
        f"2 of 3 validators are connected, 3 are needed: waiting for {EVE.address[:8]}…"
    )
    assert list(status.hints) == ["the worker failed: no memory"]
    assert (status.role, status.final_number, status.final_age_ms) == ("validator", 2, 42_000)
    assert (status.agreement.view, status.agreement.leader, status.agreement.finalizing_view) == (
        7,
        BOB.public,
        6,
    )
    assert (status.round.phase, list(status.round.miners_awaited)) == ("TRAIN", [EVE.public])
    assert status.clock_offset_ms == 250
    assert status.disk_free > 0
    assert status.database_bytes > 0
    assert {
        validator.name: (
            validator.connected,
            validator.notarized,
            validator.nullified,
            validator.finalized,
            validator.final_number,
        )
        for validator in status.validators
    } == {
        "alice": (True, False, True, True, 2),
        "bob": (True, True, False, False, 1),
        "": (False, False, False, False, 0),
    }
    bob = next(validator for validator in status.validators if validator.name == "bob")
    assert bob.clock_offset_ms == -250


def test_strangers_see_nothing_of_the_machine(node: Node) -> None:
    status = NodeService(node.context).GetStatus(GetStatusRequest(), FakeCall("ipv4:203.0.113.7:1"))
    assert (status.worker, status.worker_error, status.disk_free, status.database_bytes) == (
        "failed",
        "",
        0,
        0,
    )
    assert "no memory" not in "".join(status.hints)

"""The worker's way to its node: what each answer of the node means to the off-chain halves."""

import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from node.worker.connection import Connection
from node.worker.context import KEEP_ROUNDS, NodeContext, NodeUnreachable
from pallets.offchain_protocols import BlobUnavailable, CallRefused
from pocl.hashing import BLOB_CHUNK, blob_name, hash256
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.worker_service_pb2 import AFTER_REVEAL
from tests.node.worker.fake_node import ACCOUNT, GENESIS, TOKEN, FakeNode
from tests.node.worker.tasks import DIGITS

PROPOSE = ModelProposeCall.Propose(weights_commitment=bytes(32), sample_count=7)
BLOB = bytes(range(256)) * 2000  # almost two chunks


@pytest.fixture(scope="module")
def served() -> Iterator[FakeNode]:
    node = FakeNode(DIGITS)
    yield node
    node.stop()


@pytest.fixture
def node(served: FakeNode) -> FakeNode:
    served.refusal = None
    served.blobs.clear()
    return served


@pytest.fixture
def context(node: FakeNode, tmp_path: Path) -> Iterator[NodeContext]:
    connection = Connection(node.address, TOKEN)
    yield NodeContext(connection, account=ACCOUNT, genesis_hash=GENESIS, home=tmp_path)
    connection.close()


def test_a_call_is_submitted_with_its_round(node: FakeNode, context: NodeContext) -> None:
    context.submit("model_propose", "propose", PROPOSE, 9)
    request = node.calls.get_nowait()
    assert (request.round, request.call.pallet, request.call.function) == (9, "model_propose", "propose")
    assert ModelProposeCall.Propose.FromString(request.call.args) == PROPOSE


def test_a_call_that_is_there_already_is_done(node: FakeNode, context: NodeContext) -> None:
    node.refusal = (grpc.StatusCode.ALREADY_EXISTS, "this round's call of that kind is in the pool")
    context.submit("model_propose", "propose", PROPOSE, 9)


@pytest.mark.parametrize(
    ("code", "text", "label", "reason"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, "vote.FalseBallot: rank 2", "vote.FalseBallot", "rank 2"),
        (grpc.StatusCode.FAILED_PRECONDITION, "round.WrongPhase", "round.WrongPhase", ""),
        (grpc.StatusCode.FAILED_PRECONDITION, "the round 9 is over", "", "the round 9 is over"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "pool full: wait", "", "pool full: wait"),
        (grpc.StatusCode.INTERNAL, "", "", "INTERNAL"),
    ],
)
def test_a_refusal_keeps_its_label(
    node: FakeNode, context: NodeContext, code: grpc.StatusCode, text: str, label: str, reason: str
) -> None:
    node.refusal = (code, text)
    for attempt in (
        lambda: context.submit("vote", "cast", PROPOSE, 9),
        lambda: context.salt(1, "weights"),
        lambda: context.put_blob(b"x", 1, AFTER_REVEAL),
    ):
        with pytest.raises(CallRefused) as caught:
            attempt()
        assert (caught.value.label, caught.value.reason) == (label, reason)


def test_a_node_that_is_gone_is_no_refusal(node: FakeNode, context: NodeContext) -> None:
    node.refusal = (grpc.StatusCode.UNAVAILABLE, "stopping")
    with pytest.raises(NodeUnreachable, match="stopping"):
        context.submit("vote", "cast", PROPOSE, 9)
    with pytest.raises(BlobUnavailable):
        context.fetch_blob(bytes(32), 10, b"")
    context.report(round=1, state="idle")  # is lost, and nothing else


def test_salts_come_from_the_node(context: NodeContext) -> None:
    assert context.salt(3, "labels") == hash256("test/salt", b"\x03", b"labels")


@pytest.mark.parametrize("data", [b"", b"x", BLOB], ids=len)
def test_blobs_go_in_parts_and_come_back(node: FakeNode, context: NodeContext, data: bytes) -> None:
    name = context.put_blob(data, 5, AFTER_REVEAL)
    assert name == blob_name(data)
    assert node.put_as == (5, AFTER_REVEAL)
    assert max(node.parts) <= BLOB_CHUNK
    assert context.fetch_blob(name, len(data), ACCOUNT) == data


def test_a_blob_that_is_not_what_its_name_says_is_unavailable(node: FakeNode, context: NodeContext) -> None:
    name = blob_name(BLOB)
    with pytest.raises(BlobUnavailable, match="no peer had it"):
        context.fetch_blob(name, len(BLOB), b"")
    node.blobs[name] = BLOB
    with pytest.raises(BlobUnavailable, match="more than the 10 bytes"):
        context.fetch_blob(name, 10, b"")
    node.blobs[name] = BLOB[:-1]
    with pytest.raises(BlobUnavailable, match="is another one"):
        context.fetch_blob(name, len(BLOB), b"")


def test_a_wrong_token_is_refused(node: FakeNode, tmp_path: Path) -> None:
    connection = Connection(node.address, "another")
    context = NodeContext(connection, account=ACCOUNT, genesis_hash=GENESIS, home=tmp_path)
    with pytest.raises(CallRefused, match="not the worker"):
        context.salt(1, "weights")
    connection.close()


def test_private_files_survive_a_restart_and_old_rounds_go(context: NodeContext, tmp_path: Path) -> None:
    for round in range(1, KEEP_ROUNDS + 3):
        context.keep(round, "labels", bytes([round]))
    again = NodeContext(
        Connection("127.0.0.1:1", TOKEN), account=ACCOUNT, genesis_hash=GENESIS, home=tmp_path
    )
    assert again.kept(2, "labels") is None
    assert again.kept(3, "labels") == b"\x03"
    assert len(os.listdir(tmp_path / "rounds")) == KEEP_ROUNDS


def test_a_report_keeps_the_state_it_does_not_name(node: FakeNode, context: NodeContext) -> None:
    while not node.reports.empty():
        node.reports.get()
    context.report(round=4, state="training")
    context.report(round=4, train_ms=12, local_accuracy=0.5)
    first, second = node.reports.get_nowait(), node.reports.get_nowait()
    assert (first.state, first.HasField("local_accuracy")) == ("training", False)
    assert (second.state, second.round, second.train_ms, second.local_accuracy) == ("training", 4, 12, 0.5)

"""WorkerService over a real channel: what the node's own worker may do, and nobody else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from node.consensus.call_record import CallWithheld
from node.consensus.log import LogError
from node.rpc.limits import host_of, is_loopback
from node.rpc.worker_service import WorkerService, salt
from pallets.commitments import LABELS, WEIGHTS
from pocl.hashing import blob_name
from pocl.v1 import worker_service_pb2 as pb
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.worker_service_pb2_grpc import WorkerServiceStub
from tests.node.rpc.harness import ALICE, BOB, TOKEN, FakeCall, Node, running_node
from tests.node.rpc.miner import AUTHORIZED, Miner

REQUESTS: dict[str, Any] = {
    "SubmitCall": pb.SubmitCallRequest(round=1),
    "GetSalt": pb.GetSaltRequest(round=1, kind=WEIGHTS),
    "FetchBlob": pb.FetchBlobRequest(hash=bytes(32)),
    "Report": pb.WorkerReport(state="idle"),
    "ListReports": pb.ListReportsRequest(),
}


@contextmanager
def status(code: str) -> Iterator[pytest.ExceptionInfo[grpc.RpcError]]:
    with pytest.raises(grpc.RpcError) as caught:
        yield caught
    assert caught.value.code().name == code, caught.value.details()


@pytest.fixture
def miner(node: Node) -> Miner:
    node.author()
    return Miner(node)


def test_only_the_worker_may_call(node: Node, miner: Miner) -> None:
    wrong: tuple[Any, ...] = (
        (),
        (("authorization", "Bearer wrong"),),
        (("authorization", TOKEN),),
        (("authorization", f"Bearer {TOKEN} "),),
    )
    for metadata in wrong:
        for name, request in REQUESTS.items():
            method: Callable[..., Any] = getattr(miner.worker, name)
            with status("PERMISSION_DENIED"):
                answer = method(request, metadata=metadata, timeout=20)
                list(answer)
        with status("PERMISSION_DENIED"):
            miner.worker.PutBlob(iter([pb.PutBlobRequest(data=b"x")]), metadata=metadata, timeout=20)
    assert node.blobs.names() == []
    assert len(node.pool) == 0
    assert node.context.reports.state == "off"


def test_the_worker_comes_over_loopback_wherever_grpc_listens(tmp_path: Path) -> None:
    """Who dials one of the machine's other addresses comes from that address, and would be refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # Nothing is sent: the system chooses by which address it would.
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host: str = probe.getsockname()[0]
    with running_node(tmp_path, rpc_host=host) as node:
        assert node.server.address.startswith(f"{host}:")
        assert node.client.info().final_number == 0
        with grpc.insecure_channel(node.server.worker_address) as channel:
            stub = WorkerServiceStub(channel)
            assert stub.GetSalt(REQUESTS["GetSalt"], metadata=AUTHORIZED, timeout=20).salt
        with grpc.insecure_channel(node.server.address) as channel, status("PERMISSION_DENIED"):
            WorkerServiceStub(channel).GetSalt(REQUESTS["GetSalt"], metadata=AUTHORIZED, timeout=20)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1"])
def test_one_port_is_enough_where_it_is_reached_over_loopback(tmp_path: Path, host: str) -> None:
    with running_node(tmp_path, rpc_host=host) as node:
        assert node.server.worker_address == node.server.address


def test_the_token_is_worth_nothing_from_elsewhere(node: Node) -> None:
    service = WorkerService(node.context)
    token = f"Bearer {TOKEN}"
    assert service.GetSalt(REQUESTS["GetSalt"], FakeCall("ipv4:127.0.0.1:9", authorization=token)).salt
    for peer in ("ipv4:10.0.0.1:9", "ipv6:%5Bfe80::1%5D:9", "ipv4:128.127.0.1:9", ""):
        with pytest.raises(Exception, match="loopback"):
            service.GetSalt(REQUESTS["GetSalt"], FakeCall(peer, authorization=token))


def test_hosts_and_loopback() -> None:
    assert host_of("ipv4:10.1.2.3:555") == "10.1.2.3"
    assert host_of("ipv6:%5B2001:db8::1%5D:555") == host_of("ipv6:[2001:db8::1]:7") == "2001:db8::1"
    for peer in ("ipv4:127.0.0.1:1", "ipv6:%5B::1%5D:1", "ipv6:[::ffff:127.0.0.1]:1", "unix:/run/x"):
        assert is_loopback(peer), peer
    for peer in ("ipv4:10.0.0.1:127", "ipv6:[::2]:1", "ipv6:[::ffff:10.0.0.1]:1", "127.0.0.1:1", "::1"):
        assert not is_loopback(peer), peer


def test_a_call_is_signed_once_and_exists_from_then_on(node: Node, miner: Miner) -> None:
    propose = miner.propose(1)
    hash = miner.submit("model_propose", "propose", propose, 1)
    assert node.pool.get(hash) is not None
    assert node.pool.get(hash).signer == ALICE.public  # type: ignore[union-attr]
    with status("ALREADY_EXISTS"):  # the same call, in the pool
        miner.submit("model_propose", "propose", propose, 1)
    propose.sample_count += 1
    with status("ALREADY_EXISTS"):  # another call of that kind
        miner.submit("model_propose", "propose", propose, 1)
    node.author()
    with status("ALREADY_EXISTS"):  # the chain has it, and its phase is over
        miner.submit("model_propose", "propose", miner.propose(1), 1)


@pytest.mark.parametrize(("kind", "code"), [(CallWithheld, "FAILED_PRECONDITION"), (LogError, "DATA_LOSS")])
def test_nothing_is_signed_that_may_not_be(
    node: Node, miner: Miner, kind: type[Exception], code: str
) -> None:
    asked = []

    def withhold(call: Call, round: int) -> None:
        asked.append((call.pallet, call.function, round))
        if len(asked) == 1:
            raise kind("not now")

    object.__setattr__(node.context, "before_signing", withhold)
    with status(code) as refusal:
        miner.submit("model_propose", "propose", miner.propose(1), 1)
    assert refusal.value.details() == "not now"
    assert len(node.pool) == 0
    miner.submit("model_propose", "propose", miner.propose(1), 1)
    assert asked == [("model_propose", "propose", 1)] * 2
    assert len(node.pool) == 1


def test_a_call_that_the_chain_refuses(node: Node, miner: Miner) -> None:
    propose = miner.propose(1)
    propose.sample_count = 0
    with status("FAILED_PRECONDITION"):
        miner.submit("model_propose", "propose", propose, 1)
    with status("FAILED_PRECONDITION"):  # round 0 is over
        miner.submit("model_propose", "propose", miner.propose(1), 0)
    transfer = node.client.call("coin", "transfer", dest=BOB.address, amount=1)
    for call in (transfer, Call(pallet="vote", function="nothing")):
        # Refused before it is signed, and not by the pool, which would see a signed one.
        with status("INVALID_ARGUMENT") as refusal:
            miner.worker.SubmitCall(pb.SubmitCallRequest(call=call, round=1), metadata=AUTHORIZED, timeout=20)
        assert "the node signs no other" in refusal.value.details()
    assert len(node.pool) == 0


def test_a_salt_is_its_own_for_key_chain_round_and_kind(node: Node, miner: Miner) -> None:
    genesis = node.chain.genesis_hash
    salts = {
        miner.salt(1, WEIGHTS),
        miner.salt(2, WEIGHTS),
        miner.salt(1, LABELS),
        salt(BOB, genesis, 1, WEIGHTS),
        salt(ALICE, bytes(32), 1, WEIGHTS),
    }
    assert len(salts) == 5
    assert {len(value) for value in salts} == {32}
    assert miner.salt(1, WEIGHTS) == salt(ALICE, genesis, 1, WEIGHTS)  # after a restart too
    with status("INVALID_ARGUMENT"):
        miner.salt(1, "")


def test_blobs_are_stored_and_fetched(node: Node, miner: Miner) -> None:
    data = bytes(700_000)
    name = miner.put(data, 3, pb.AFTER_REVEAL)
    assert name == blob_name(data)
    meta = node.blobs.stat(name)
    assert meta is not None
    assert (meta.size, meta.round, meta.visibility) == (len(data), 3, pb.AFTER_REVEAL)

    def fetch(name: bytes, max_bytes: int = 0) -> bytes:
        request = pb.FetchBlobRequest(hash=name, max_bytes=max_bytes, timeout_ms=1000, holder=BOB.public)
        chunks = miner.worker.FetchBlob(request, metadata=AUTHORIZED, timeout=20)
        return b"".join(chunk.data for chunk in chunks)

    assert fetch(name) == data  # not served to others yet, but this node's own
    remote = blob_name(b"remote")
    node.remote_blobs[remote] = b"remote"
    assert fetch(remote) == b"remote"
    kept = node.blobs.stat(remote)  # and served on, at once: the round is past TRAIN when anybody gives it
    assert kept is not None
    assert (kept.round, kept.visibility) == (node.chain.epoch_change.epoch, pb.AFTER_TRAIN)
    assert node.blobs.get(remote) == b"remote"
    for missing, most in ((blob_name(b"nowhere"), 0), (name, 10)):
        with status("NOT_FOUND"):
            fetch(missing, most)
    node.remote_blobs[blob_name(b"x")] = b"y"
    with status("NOT_FOUND"):
        fetch(blob_name(b"x"))


def test_a_blob_too_large_or_none_at_all_is_refused(node: Node, miner: Miner) -> None:
    most = node.config.chain.genesis.round.max_weights_bytes
    with status("INVALID_ARGUMENT"):
        miner.put(bytes(most + 1), 1, pb.PUBLIC)
    with status("INVALID_ARGUMENT"):
        miner.worker.PutBlob(iter([]), metadata=AUTHORIZED, timeout=20)
    with status("INVALID_ARGUMENT"):
        miner.worker.PutBlob(
            iter([pb.PutBlobRequest(visibility=9, data=b"x")]), metadata=AUTHORIZED, timeout=20
        )
    assert node.blobs.names() == []


def test_reports_are_kept_by_round_and_add_up(node: Node, miner: Miner) -> None:
    def report(**fields: Any) -> None:
        miner.worker.Report(pb.WorkerReport(**fields), metadata=AUTHORIZED, timeout=20)

    report(state="training", round=1, train_ms=500)
    assert node.client.node_info().worker == "training"
    report(state="predicting", round=1, predict_ms=40, error="a peer was slow")
    report(state="idle", round=1, global_accuracy=0.0)
    assert node.context.reports.last_error == "a peer was slow"
    report(state="training", round=2)
    listed = miner.worker.ListReports(pb.ListReportsRequest(), metadata=AUTHORIZED, timeout=20).reports
    assert [item.round for item in listed] == [1, 2]
    assert (listed[0].state, listed[0].train_ms, listed[0].predict_ms, listed[0].error) == (
        "idle",
        500,
        40,
        "",
    )
    assert listed[0].HasField("global_accuracy")
    later = miner.worker.ListReports(
        pb.ListReportsRequest(from_round=2), metadata=AUTHORIZED, timeout=20
    ).reports
    assert [item.round for item in later] == [2]
    with status("INVALID_ARGUMENT"):
        report(state="dancing", round=2)

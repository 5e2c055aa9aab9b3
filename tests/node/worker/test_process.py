"""The worker's process, as a node starts it, with TensorFlow and all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pallets.commitments import commitment
from pocl.hashing import hash256
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.round_pb2 import Phase
from tests.node.worker.fake_node import ACCOUNT, GENESIS, TOKEN, FakeNode, view
from tests.node.worker.tasks import CIFAR10, DIGITS

PATIENCE_S = 120


@pytest.fixture
def node() -> Iterator[FakeNode]:
    node = FakeNode(DIGITS)
    yield node
    node.stop()


@pytest.fixture
def command(node: FakeNode, tmp_path: Path) -> list[str]:
    (tmp_path / "token").write_text(TOKEN + "\n")
    command = [sys.executable, "-m", "node.worker", "--rpc", node.address]
    command += ["--token-file", str(tmp_path / "token"), "--home", str(tmp_path), "--threads", "1"]
    return [*command, "--die-with", str(os.getpid())]


def test_a_worker_trains_when_a_round_begins_and_stops_when_told(
    node: FakeNode, command: list[str], tmp_path: Path
) -> None:
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        states = []
        while "idle" not in states:
            states.append(node.reports.get(timeout=PATIENCE_S).state)
        assert states[0] == "starting"
        # Started in the middle of a round that it has nothing for, it waits for the next one.
        node.views.put(view(1, 1, Phase.VOTE))
        node.views.put(view(2, 2, Phase.TRAIN))
        request = node.calls.get(timeout=PATIENCE_S)
        call = ModelProposeCall.Propose.FromString(request.call.args)
        assert (request.round, request.call.pallet, request.call.function) == (2, "model_propose", "propose")
        # What it committed to is written down, and weights and test records are at the node.
        name = (tmp_path / "rounds" / "2" / "weights-hash").read_bytes()
        salt = hash256("test/salt", b"\x02", b"weights")
        assert call.weights_commitment == commitment("weights", GENESIS, 2, ACCOUNT, salt, name)
        assert len(node.blobs[name]) == call.weights_size
        assert len(node.blobs[call.records_hash]) == call.records_size
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=PATIENCE_S) == 0
    finally:
        worker.kill()
        _, log = worker.communicate()
    assert "ready: miner 1 of 4 with 1500 records" in log
    # Nothing of TensorFlow's own, and nothing about a connection that ended because it was to end.
    assert len(log.splitlines()) == 1


def run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stderr


def test_missing_data_is_one_line_and_reported(tmp_path: Path) -> None:
    node = FakeNode(CIFAR10)
    (tmp_path / "token").write_text(TOKEN)
    status, log = run(
        [
            *(sys.executable, "-m", "node.worker", "--rpc", node.address),
            *("--token-file", str(tmp_path / "token"), "--home", str(tmp_path)),
        ]
    )
    reports = [node.reports.get_nowait() for _ in range(node.reports.qsize())]
    node.stop()
    problem = "this chain's data set does not come with the node: give --data"
    assert status == 2
    assert [line.partition(" ERROR worker: ")[2][: len(problem)] for line in log.splitlines()] == [problem]
    assert [report.state for report in reports] == ["starting", "failed"]
    assert reports[-1].error.startswith(problem)


def test_a_worker_without_a_token_or_a_validator_is_one_line(
    node: FakeNode, command: list[str], tmp_path: Path
) -> None:
    node.account = b""
    status, log = run(command)
    assert status == 2
    assert log.rstrip().endswith("only a validator's worker takes part in rounds")
    (tmp_path / "token").unlink()
    status, log = run(command)
    assert status == 2
    assert "token: the token cannot be read: " in log
    assert len(log.splitlines()) == 1


def test_a_behaviour_that_cannot_be_used_is_one_line(command: list[str], tmp_path: Path) -> None:
    for given, problem in (
        (["--behaviour", "nice"], "there is no behaviour 'nice'"),
        (["--behaviour", "knn:k=3"], "behaviour knn has no parameter 'k'"),
        (["--behaviour", "alie", "--collusion", str(tmp_path)], f"{tmp_path}/accounts: cannot be read"),
    ):
        status, log = run([*command, *given])
        assert status == 2
        assert problem in log
        assert len(log.splitlines()) == 1

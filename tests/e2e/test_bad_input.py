"""Bad input gets one clear line and a non-zero status, and changes nothing."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node.chain_spec import load
from pocl.keys import Keypair
from tests.e2e.processes import POCL, ROOT, pocl, refused, running_node

ALICE, BOB = Keypair.from_uri("//Alice"), Keypair.from_uri("//Bob")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    base_path = tmp_path_factory.mktemp("dev") / "node"
    with running_node(base_path, "--dev", "--no-worker") as ready:
        yield {**ready, "base_path": base_path}


def balance(node: dict[str, Any], account: str) -> dict[str, Any]:
    done = pocl("query", "account", account, "--rpc", node["rpc_address"], "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def spec_file(folder: Path, **changes: Any) -> Path:
    """Write the local chain's spec with some top-level fields replaced."""
    value = load("local").to_dict() | changes
    file = folder / "spec.json"
    file.write_text(json.dumps(value))
    return file


def test_unknown_chain_and_malformed_spec(tmp_path: Path) -> None:
    assert "unknown chain 'nonsense'" in refused("node", "--chain", "nonsense")
    assert "no such file" in refused("node", "--chain", str(tmp_path / "missing.json"))
    file = tmp_path / "broken.json"
    file.write_text('{"name": ')
    assert "line 1" in refused("node", "--chain", file)
    file = spec_file(tmp_path, chain_type="moon")
    assert "chain_type" in refused("node", "--chain", file)


def test_ports_in_use(tmp_path: Path, node: dict[str, Any]) -> None:
    flags = ["node", "--dev", "--no-worker", "--p2p-listen", "127.0.0.1", "--base-path", tmp_path / "node"]
    free = ["--port", "0", "--rpc-port", "0", "--prometheus-port", "0"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--port", "--rpc-port", "--prometheus-port"):
            assert port in refused(*flags, *free, option, port)
    # A port that another node has.
    assert "in use" in refused(*flags, *free, "--rpc-port", str(node["rpc_port"]))
    taken_port = node["prometheus_address"].partition(":")[2]
    assert "in use" in refused(*flags, *free, "--prometheus-port", taken_port)


def test_a_locked_database_is_refused(node: dict[str, Any]) -> None:
    line = refused(
        "node", "--dev", "--no-worker", "--port", "0", "--rpc-port", "0", "--base-path", node["base_path"]
    )
    assert str(node["base_path"]) in line
    assert "another node" in line


def test_a_database_of_another_genesis_is_refused(tmp_path: Path) -> None:
    base_path = tmp_path / "node"
    with running_node(base_path, "--dev", "--no-worker"):
        pass
    line = refused("node", "--chain", "local", "--base-path", base_path, "--port", "0", "--rpc-port", "0")
    assert "genesis" in line
    # It is as it was for the chain it belongs to.
    with running_node(base_path, "--dev", "--no-worker"):
        pass


def test_a_wrong_key_password_is_refused(tmp_path: Path) -> None:
    good, wrong = tmp_path / "good", tmp_path / "wrong"
    good.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    base = tmp_path / "node"
    inserted = pocl(
        "key", "insert", "validator", "--base-path", base, "--password-file", good, stdin="//Alice\n"
    )
    assert inserted.returncode == 0, inserted.stderr
    flags = ["node", "--chain", "local", "--validator", "--key", "validator", "--base-path", base]
    assert "wrong password" in refused(*flags, "--password-file", wrong, "--port", "0", "--rpc-port", "0")


def test_transfers_that_cannot_be_are_refused(node: dict[str, Any]) -> None:
    rpc = ["--rpc", node["rpc_address"]]
    before = balance(node, ALICE.address)
    send = ["tx", "transfer", "--from", "//Alice"]
    line = refused(*send, BOB.address, "99999999999999999999999", *rpc)
    assert "InsufficientBalance" in line or "free" in line
    mistyped = BOB.address[:-1] + ("1" if BOB.address[-1] != "1" else "2")
    assert "address" in refused(*send, mistyped, "1", *rpc)
    assert "amount" in refused(*send, BOB.address, "many", *rpc)
    assert "amount" in refused(*send, BOB.address, "0", *rpc)
    after = balance(node, ALICE.address)
    assert (after["nonce"], after["reserved"]) == (before["nonce"], before["reserved"])


def test_an_unreachable_node(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = refused("query", "info", "--rpc", f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in line


def test_what_is_not_there(node: dict[str, Any]) -> None:
    rpc = ["--rpc", node["rpc_address"]]
    assert "99999999" in refused("query", "block", "99999999", *rpc)
    refused("query", "round", "99999", *rpc)


def test_a_data_file_of_the_wrong_shape(tmp_path: Path) -> None:
    value = load("dev").to_dict()
    value["learning"]["dataset"] = "npz"
    spec = tmp_path / "npz.json"
    value["learning"].update(architecture="mlp", input_shape=[8], input_dtype="float32", classes=10)
    spec.write_text(json.dumps(value))
    data = tmp_path / "data"
    data.mkdir()
    np.savez(
        data / "data.npz",
        x_train=np.zeros((100, 9), np.float32),
        y_train=np.zeros(100, np.int64),
        x_test=np.zeros((20, 8), np.float32),
        y_test=np.zeros(20, np.int64),
    )
    base = tmp_path / "node"
    command = [*POCL, "node", "--chain", str(spec), "--validator", "--alice", "--base-path", str(base)]
    command += [
        "--no-prometheus",
        "--port",
        "0",
        "--rpc-port",
        "0",
        "--p2p-listen",
        "127.0.0.1",
        "--data",
        str(data),
    ]
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )
    assert process.returncode == 1, process.stderr
    assert "x_train" in process.stderr
    assert "Traceback" not in process.stderr
    shutil.rmtree(base)

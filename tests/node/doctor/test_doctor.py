"""`pocl doctor` on folders that are well and on broken ones: what each line says, and that nothing is changed."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node import chain_spec
from node.cli import run
from node.consensus.log import ConsensusLog
from node.doctor import disk_checks, machine_checks
from node.genesis import build_genesis
from node.keystore import Keystore
from node.status.facts import Disk
from pocl.keys import Keypair
from tests.node.rpc.harness import ALICE, BOB, running_node

Doctor = Callable[..., dict[str, dict[str, str]]]
GENESIS = build_genesis(chain_spec.load("dev")).hash


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the command on a node's options; return the findings by check. The exit status is checked."""
    monkeypatch.setattr(machine_checks, "_WATCH_S", 0.0)
    monkeypatch.setattr(machine_checks, "_unsynchronised", lambda: False)

    def examine(*arguments: str, base: Path = tmp_path / "node") -> dict[str, dict[str, str]]:
        ports = ["--port", "0"] if "--port" not in arguments else []
        ports += ["--rpc-port", "0"] if "--rpc-port" not in arguments else []
        ports += ["--prometheus-port", "0"] if "--prometheus-port" not in arguments else []
        chain = [] if "--chain" in arguments else ["--chain", "dev"]
        given = ["doctor", *chain, "--base-path", str(base), "--no-worker", *ports, *arguments, "--json"]
        before = snapshot(base)
        status = run(given)
        out, error = capsys.readouterr()
        assert error == ""
        report = json.loads(out)
        assert status == (1 if report["problem"] else 0)
        assert snapshot(base) == before, "the doctor has changed something"
        return {finding["check"]: finding for finding in report["checks"]}

    return examine


def snapshot(base: Path) -> dict[str, bytes]:
    """Return what lies below a folder, but for the database, whose own log LevelDB writes anew."""
    files = (file for file in base.rglob("*") if file.is_file() and file.parent.name != "db")
    return {str(file): file.read_bytes() for file in files}


def problems(findings: dict[str, dict[str, str]]) -> list[str]:
    return [check for check, finding in findings.items() if finding["status"] == "problem"]


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A validator's folder with two final blocks and an empty log of votes."""
    base = tmp_path / "node"
    with running_node(base) as node:
        node.author(2)
    (base / "consensus").mkdir()
    ConsensusLog.create(base / "consensus" / "log", GENESIS, ALICE.public, 0).close()
    return base


def damage(folder: Path) -> None:
    """Overwrite the newest of the database's files that holds blocks."""
    file = max(folder.glob("*.log"), key=lambda entry: entry.stat().st_size, default=None)
    file = file if file is not None and file.stat().st_size else next(folder.glob("*.ldb"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = b"\xff" * 64
    file.write_bytes(data)


def test_a_folder_that_is_not_there_yet(doctor: Doctor, tmp_path: Path) -> None:
    findings = doctor("--alice")
    assert problems(findings) == []
    assert "none yet" in findings["database"]["message"]
    assert "a new validator of a new chain" in findings["votes"]["message"]
    assert not (tmp_path / "node").exists()


def test_a_stopped_node_that_is_well(doctor: Doctor, stopped: Path) -> None:
    findings = doctor("--alice")
    assert problems(findings) == []
    assert "final block 2" in findings["database"]["message"]
    assert findings["votes"]["status"] == "ok"
    assert findings["key"]["message"].startswith(f"{ALICE.address} is one of 1 validators")


def test_specs_that_cannot_be(doctor: Doctor, tmp_path: Path) -> None:
    assert "unknown chain 'nonsense'" in doctor("--chain", "nonsense")["chain spec"]["message"]
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    findings = doctor("--chain", str(broken))
    assert list(findings) == problems(findings) == ["chain spec"]


def test_a_foreign_database(doctor: Doctor, stopped: Path) -> None:
    findings = doctor("--chain", "local", "--alice")
    assert "genesis" in findings["database"]["message"]
    assert "another chain" in findings["votes"]["message"]
    assert problems(findings) == ["database", "votes"]


def test_a_damaged_database(doctor: Doctor, stopped: Path) -> None:
    damage(stopped / "db")
    found = doctor("--alice")["database"]
    assert found["status"] == "problem"
    assert "damaged" in found["message"] or "cannot be read" in found["message"]


def test_a_database_without_its_current_file(doctor: Doctor, stopped: Path) -> None:
    (stopped / "db" / "CURRENT").unlink()
    (stopped / "db" / "000099.ldb").write_bytes(b"x")
    assert "CURRENT is missing" in doctor("--alice")["database"]["message"]


def test_a_database_of_another_user(doctor: Doctor, stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_checks.os, "geteuid", lambda: os.getuid() + 1)
    found = doctor("--alice")["database"]
    assert (found["status"], "not opened" in found["message"]) == ("warning", True)


def test_a_lost_log_and_a_lost_database(doctor: Doctor, stopped: Path) -> None:
    (stopped / "consensus" / "log").unlink()
    found = doctor("--alice")["votes"]
    assert (found["status"], "the chain then stops for good" in found["message"]) == ("warning", True)
    assert "never restore a log from a backup" in found["advice"]
    log = ConsensusLog.create(stopped / "consensus" / "log", GENESIS, ALICE.public, 9)
    assert "abstains until epoch 9" in doctor("--alice")["votes"]["message"]
    log.prune(5, 3)
    log._rewrite()
    log.close()
    found = doctor("--alice")["votes"]
    # The only validator could get its blocks from nobody.
    assert (found["status"], "newer (epoch 5, view 3)" in found["message"]) == ("problem", True)
    assert "import-blocks" in found["advice"]


def test_of_several_validators_one_with_an_old_database_starts_and_syncs(
    doctor: Doctor, tmp_path: Path
) -> None:
    file = tmp_path / "node" / "consensus" / "log"
    new = doctor("--chain", "local", "--alice")["votes"]
    assert (new["status"], "votes at once" in new["message"]) == ("ok", True)
    assert "this validator then abstains for two epochs" in new["message"]
    log = ConsensusLog.create(file, build_genesis(chain_spec.load("local")).hash, ALICE.public, 0)
    log.prune(5, 3)
    log._rewrite()
    log.close()
    found = doctor("--chain", "local", "--alice")["votes"]
    assert (found["status"], "newer (epoch 5, view 3)" in found["message"]) == ("warning", True)
    assert found["advice"].startswith("start the node: sync brings the database back")


def test_a_damaged_log(doctor: Doctor, stopped: Path) -> None:
    file = stopped / "consensus" / "log"
    file.write_bytes(b"\x00\x01" + file.read_bytes()[2:] + b"more")
    message = doctor("--alice")["votes"]["message"]
    assert "damaged" in message
    assert "never restore it from a backup" in message


def test_keys(doctor: Doctor, tmp_path: Path) -> None:
    base = tmp_path / "node"
    assert "needs a key" in doctor("--validator")["key"]["message"]
    assert "there is no key 'mine'" in doctor("--key", "mine")["key"]["message"]
    assert "not in the validator set" in doctor("--bob")["key"]["message"]
    file = Keystore(base / "keystore").insert("mine", ALICE, "correct horse")
    assert "not decrypted" in doctor("--key", "mine")["key"]["message"]
    good, wrong = tmp_path / "good", tmp_path / "wrong"
    good.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    assert "decrypted" in doctor("--key", "mine", "--password-file", str(good))["key"]["message"]
    assert "wrong password" in doctor("--key", "mine", "--password-file", str(wrong))["key"]["message"]
    Keystore(base / "keystore").insert("bobs", BOB, "correct horse")
    assert problems(doctor("--key", "bobs")) == ["key"]
    file.chmod(0o644)
    assert "others may read this key" in doctor("--key", "mine")["key"]["message"]
    node_key = base / "network" / "node_key"
    node_key.parent.mkdir()
    node_key.write_text("short")
    node_key.chmod(0o600)
    assert "not a node key" in doctor()["network key"]["message"]
    assert doctor()["key"]["message"] == "none given: a full node"


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def test_ports_and_bootnodes(doctor: Doctor, listener: int) -> None:
    peer = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    here = f"/ip4/127.0.0.1/tcp/{listener}{peer}"
    findings = doctor("--p2p-listen", "127.0.0.1", "--port", str(listener), "--bootnodes", here)
    assert problems(findings) == ["p2p port"]
    assert f"{listener} is taken by another process" in findings["p2p port"]["message"]
    assert findings["bootnodes"]["message"] == "1 of 1 take connections"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = f"/ip4/127.0.0.1/tcp/{port}{peer}"
    assert doctor("--bootnodes", here, "--bootnodes", nowhere)["bootnodes"]["status"] == "warning"
    assert problems(doctor("--bootnodes", nowhere)) == ["bootnodes"]
    assert "is no address like" in doctor("--bootnodes", "/ip4/x/tcp/1/p2p/y")["bootnodes"]["message"]
    assert "waits until others dial it" in doctor()["bootnodes"]["message"]
    assert problems(doctor("--rpc-listen", "203.0.113.7", "--rpc-port", "9944")) == ["gRPC port"]


def test_the_clock(doctor: Doctor, stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_unsynchronised", lambda: True)
    assert doctor()["clock"]["status"] == "warning"
    # The chain's blocks are of the year 2026; a clock that starts at 1970 is behind them.
    monkeypatch.setattr(machine_checks.time, "time", lambda: 0.0)
    monkeypatch.setattr(machine_checks.time, "monotonic", lambda: 0.0)
    found = doctor("--alice")["clock"]
    assert (found["status"], "behind the last final block" in found["message"]) == ("problem", True)
    readings = iter((0.0, 3600.0))
    monkeypatch.setattr(machine_checks.time, "time", lambda: next(readings))
    assert "+3600.00 s" in doctor()["clock"]["message"]


def test_the_disk(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "is no folder" in doctor(base=file / "node")["disk"]["message"]
    for free, status in ((10**6, "problem"), (5 * 10**8, "warning"), (10**11, "ok")):
        monkeypatch.setattr(disk_checks, "measure_disk", lambda path, free=free: Disk(free, 0))
        assert doctor()["disk"]["status"] == status


def test_a_node_that_runs(doctor: Doctor, tmp_path: Path) -> None:
    with running_node(tmp_path / "node") as node:
        port = str(node.server.port)
        findings = doctor("--alice", "--rpc-port", port)
        assert "in use by the running node" in findings["database"]["message"]
        assert f"{port} is taken by the running node alice" in findings["gRPC port"]["message"]
        assert "+0.250 s" in findings["clock"]["message"]
        assert problems(findings) == ["peers"]
        assert "2 of 3 validators" in findings["peers"]["message"]
        # Another node's folder must not be taken for that node's.
        findings = doctor("--chain", "local", "--rpc-port", port, base=tmp_path / "other")
        assert problems(findings) == ["gRPC port"]
        assert "another node: alice of pocl-dev" in findings["gRPC port"]["message"]
        # The folder is in use, and the port given is not the node's.
        found = doctor("--alice")["database"]
        assert (found["status"], "no node of this base path answers" in found["message"]) == ("problem", True)


def test_the_data(tmp_path: Path) -> None:
    value = chain_spec.load("dev").to_dict()
    value["learning"].update(
        dataset="npz", architecture="mlp", input_shape=[8], input_dtype="float32", classes=10
    )
    spec = chain_spec.parse(value, "npz.json")
    from node.learning_task import task_bytes

    found, error = machine_checks._probe("data", ["--data", str(tmp_path)], task_bytes(spec.learning))
    assert found is None
    assert "data.npz: there is no such file" in error


def test_a_probe_that_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks.sys, "executable", "/bin/false")
    assert machine_checks._probe("packages", [], b"") == (None, "the probe ended with status 1")


def test_text_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments: list[Any] = ["doctor", "--chain", "dev", "--validator", "--base-path", tmp_path, "--no-worker"]
    assert run([*map(str, arguments), "--port", "0", "--rpc-port", "0", "--no-prometheus"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("problem  key ") and "needs a key" in line for line in lines)
    assert lines[-1].endswith("1 problem")
    assert Keypair.from_uri("//Alice").address not in "".join(lines)

"""`pocl status` and `pocl doctor` against a real node, and what its log says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.cli import run
from pocl.keys import Keypair
from tests.e2e.processes import pocl, refused, running_node

ALICE = Keypair.from_uri("//Alice").address

Cli = Callable[..., tuple[int, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process, which takes seconds less than one of its own."""

    def command(*arguments: Any) -> tuple[int, str]:
        status = run([str(argument) for argument in arguments])
        return status, capsys.readouterr().out

    return command


def test_a_validator_alone_says_whom_it_waits_for(tmp_path: Path, cli: Cli) -> None:
    with running_node(tmp_path / "node", "--chain", "local", "--alice", "--no-worker") as ready:
        status = json.loads(cli("status", "--rpc", ready["rpc_address"], "--json")[1])
        assert status["sentence"].startswith("1 of 4 validators is connected, 3 are needed: waiting for ")
        assert all(name in status["sentence"] for name in ("bob", "charlie", "dave"))
        assert "final_age_ms" not in status


def test_status_and_doctor_of_a_running_node(tmp_path: Path, cli: Cli) -> None:
    base = tmp_path / "node"
    options = ["--dev", "--base-path", base, "--no-worker", "--p2p-listen", "127.0.0.1", "--json"]
    with running_node(base, "--dev", "--no-worker") as ready:
        rpc = ["--rpc", ready["rpc_address"]]
        status = json.loads(cli("status", *rpc, "--json")[1])
        deadline = time.monotonic() + 60
        while status["final_number"] == 0 and time.monotonic() < deadline:
            status = json.loads(cli("status", *rpc, "--json")[1])
        assert status["state"] == "moving"
        assert status["sentence"].startswith(f"final and moving: block {status['final_number']}, ")
        assert "round 1 waits in TRAIN for alice (this node) until " in status["sentence"]
        assert status["hints"] == ["the worker is off: this validator takes part in no round"]
        assert status["round"]["miners_awaited"] == [ALICE]
        (validator,) = status["validators"]
        assert (validator["account"], validator["name"], validator["connected"]) == (ALICE, "alice", True)
        assert status["database_bytes"] > 0

        watched = cli("status", *rpc, "--watch", "--count", "2", "--json")[1]
        assert [json.loads(line)["state"] for line in watched.splitlines()] == ["moving", "moving"]
        text = pocl("status", *rpc).stdout
        assert text.startswith("final and moving: block ")
        assert ALICE in text

        metrics_port = ready["prometheus_address"].partition(":")[2]
        ports = ["--port", ready["p2p_port"], "--rpc-port", ready["rpc_port"]]
        ports += ["--prometheus-port", metrics_port]
        code, out = cli("doctor", *options, *ports)
        report = json.loads(out)
        found = {finding["check"]: finding for finding in report["checks"]}
        assert (code, report["problem"]) == (0, 0), report
        for port, check in (
            (ready["p2p_port"], "p2p port"),
            (ready["rpc_port"], "gRPC port"),
            (metrics_port, "metrics port"),
        ):
            assert found[check]["message"] == f"{port} is taken by the running node alice"
        assert "in use by the running node" in found["database"]["message"]
        assert found["votes"]["status"] == "ok"
        log = (base / "node.log").read_text()
        assert "pocl.node: round 1 begins: TRAIN; miners: 1 (block 1)" in log

    assert ready["rpc_address"] in refused("status", *rpc)
    ports = ["--port", "0", "--rpc-port", "0", "--prometheus-port", "0"]
    assert json.loads(cli("doctor", *options, *ports)[1])["problem"] == 0
    (base / "db" / "CURRENT").write_text("nonsense")
    code, out = cli("doctor", *options, *ports)
    assert code == 1
    assert [f["check"] for f in json.loads(out)["checks"] if f["status"] == "problem"] == ["database"]

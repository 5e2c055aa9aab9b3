"""`pocl status` and `pocl doctor` against a real node, and what its log says."""

from __future__ import annotations

import json
import time
from pathlib import Path

from pocl.keys import Keypair
from tests.e2e.processes import pocl, refused, running_node

ALICE = Keypair.from_uri("//Alice").address


def test_a_validator_alone_says_whom_it_waits_for(tmp_path: Path) -> None:
    with running_node(tmp_path / "node", "--chain", "local", "--alice", "--no-worker") as ready:
        status = json.loads(pocl("status", "--rpc", ready["rpc_address"], "--json").stdout)
        assert status["sentence"].startswith("1 of 4 validators is connected, 3 are needed: waiting for ")
        assert all(name in status["sentence"] for name in ("bob", "charlie", "dave"))
        assert "final_age_ms" not in status


def test_status_and_doctor_of_a_running_node(tmp_path: Path) -> None:
    base = tmp_path / "node"
    with running_node(base, "--dev", "--no-worker") as ready:
        rpc = ["--rpc", ready["rpc_address"]]
        deadline = time.monotonic() + 60
        while True:
            shown = pocl("status", *rpc, "--json")
            assert shown.returncode == 0, shown.stderr
            status = json.loads(shown.stdout)
            if status["final_number"] > 0 or time.monotonic() > deadline:
                break
        assert status["state"] == "moving"
        assert status["sentence"].startswith(f"final and moving: block {status['final_number']}, ")
        assert "round 1 waits in TRAIN for alice (this node) until " in status["sentence"]
        assert status["hints"] == ["the worker is off: this validator takes part in no round"]
        assert status["round"]["miners_awaited"] == [ALICE]
        (validator,) = status["validators"]
        assert (validator["account"], validator["name"], validator["connected"]) == (ALICE, "alice", True)
        assert status["database_bytes"] > 0

        watched = pocl("status", *rpc, "--watch", "--count", "2", "--json")
        assert [json.loads(line)["state"] for line in watched.stdout.splitlines()] == ["moving", "moving"]
        text = pocl("status", *rpc).stdout
        assert text.startswith("final and moving: block ")
        assert ALICE in text

        options = ["--dev", "--base-path", base, "--no-worker", "--p2p-listen", "127.0.0.1"]
        ports = ["--port", ready["p2p_port"], "--rpc-port", ready["rpc_port"]]
        examined = pocl("doctor", *options, *map(str, ports), "--json")
        report = json.loads(examined.stdout)
        found = {finding["check"]: finding for finding in report["checks"]}
        assert (examined.returncode, report["problem"]) == (0, 0), report
        for port, check in ((ready["p2p_port"], "p2p port"), (ready["rpc_port"], "gRPC port")):
            assert found[check]["message"] == f"{port} is taken by the running node alice"
        assert "in use by the running node" in found["database"]["message"]
        assert found["votes"]["status"] == "ok"
        log = (base / "node.log").read_text()
        assert "pocl.node: round 1 begins: TRAIN; miners: 1 (block 1)" in log

    assert ready["rpc_address"] in refused("status", *rpc)
    examined = pocl("doctor", *options, "--port", "0", "--rpc-port", "0", "--json")
    assert json.loads(examined.stdout)["problem"] == 0
    (base / "db" / "CURRENT").write_text("nonsense")
    examined = pocl("doctor", *options, "--port", "0", "--rpc-port", "0")
    assert examined.returncode == 1
    assert "problem  database" in examined.stdout

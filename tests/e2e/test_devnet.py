"""A devnet of real processes with one cheat in it: real ports, real libp2p, real training.

One run serves all tests of this module.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from pocl.client import Client
from pocl.keys import Keypair
from tests.e2e.audit import check_issuance, check_with_a_light_client
from tests.e2e.processes import running_node

ROOT = Path(__file__).resolve().parents[2]
CHEAT = Keypair.from_uri("//Bob").address
ROUNDS = 3


@dataclass
class Run:
    base_path: Path
    status: int
    output: str
    summary: dict[str, Any]
    left: list[str]


def processes_below(base_path: Path) -> list[str]:
    """Return the command lines of processes that name a folder of this run."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(base_path) in line and process.pid != os.getpid():
            found.append(line)
    return found


def wait_for(file: Path, process: subprocess.Popen[str], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert process.poll() is None, "the devnet ended before its first node was ready"
        assert time.monotonic() < deadline, f"{file} did not appear"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    base_path = tmp_path_factory.mktemp("devnet") / "nodes"
    summary_file = base_path.parent / "summary.json"
    command = [sys.executable, "-m", "node.cli", "devnet", "--validators", "4", "--rounds", str(ROUNDS)]
    command += ["--base-path", str(base_path), "--json", str(summary_file), "--behaviour", "bob=knn"]
    devnet = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        output, _ = devnet.communicate(timeout=420)
        yield Run(
            base_path,
            devnet.returncode,
            output,
            json.loads(summary_file.read_text()),
            processes_below(base_path),
        )
    finally:
        if devnet.poll() is None:
            devnet.send_signal(signal.SIGTERM)
            devnet.communicate(timeout=30)


def test_all_nodes_agree_and_the_run_succeeds(run: Run) -> None:
    assert run.status == 0, run.output
    assert run.summary["agree"] is True
    assert len(run.summary["nodes"]) == 4
    assert {row["finalized_hash"] for row in run.summary["nodes"]} == {run.summary["finalized"]["hash"]}
    assert all(row["peers"] == 3 for row in run.summary["nodes"])


def test_every_round_settles_and_the_model_learns(run: Run) -> None:
    rounds = run.summary["rounds"]
    assert [row["round"] for row in rounds] == [1, 2, 3]
    assert not any(row["void"] for row in rounds)
    # One instead of two where the cheat was among the provisional winners and fell to the audit.
    assert all(1 <= len(row["winners"]) <= 2 for row in rounds)
    assert all(set(row["rewards"]) == set(row["winners"]) for row in rounds)
    assert rounds[-1]["accuracy"] >= 0.85


def test_the_cheat_never_wins(run: Run) -> None:
    assert not any(CHEAT in row["winners"] or CHEAT in row["rewards"] for row in run.summary["rounds"])


def test_transfers_are_included_and_settled(run: Run) -> None:
    transfers = run.summary["transfers"]
    assert transfers["submitted"] == transfers["included"] == 8 * ROUNDS
    assert transfers["settled"] >= 8


def test_no_process_is_left(run: Run) -> None:
    assert run.left == []


def test_the_finished_chain_can_be_asked_and_audited(run: Run) -> None:
    # A node of the run, started again as one that only follows.
    spec = run.base_path / "chain-spec.json"
    with (
        running_node(run.base_path / "alice", "--chain", spec) as ready,
        Client(ready["rpc_address"]) as client,
    ):
        finalized = run.summary["finalized"]
        assert client.block(finalized["number"]).hash.hex() == finalized["hash"].removeprefix("0x")
        assert [summary.round for summary in client.rounds()] == [1, 2, 3]
        check_with_a_light_client(client, ROUNDS)
        check_issuance(client)


def test_ctrl_c_stops_every_process(tmp_path: Path) -> None:
    base_path = tmp_path / "nodes"
    command = [sys.executable, "-m", "node.cli", "devnet", "--validators", "2", "--rounds", "50"]
    devnet = subprocess.Popen(
        [*command, "--base-path", str(base_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_for(base_path / "bob" / "ready.json", devnet)
        devnet.send_signal(signal.SIGINT)
        output, _ = devnet.communicate(timeout=60)
    finally:
        if devnet.poll() is None:
            devnet.kill()
    assert devnet.returncode == 130, output
    assert "Traceback" not in output
    assert processes_below(base_path) == []

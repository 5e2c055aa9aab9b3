"""A few faults of real processes, in a fixed order. The long random run is `make faults`."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.layout import consensus_log_file
from pocl.client import Client
from tests.e2e.processes import POCL, ROOT, running_node
from tests.faults.harm import FAULTS, Fault, kill_worker_of
from tests.faults.network import FaultNetwork, quick_spec, until
from tests.faults.operators import Operators
from tests.faults.progress import Outcome, Progress
from tests.faults.schedule import Begun
from tests.faults.watch import Watch
from tests.full_disk import refuse_writes

PATIENCE_S = 60


def test_a_network_survives_lost_logs_and_damaged_databases(tmp_path: Path) -> None:
    said: list[Outcome] = []
    with FaultNetwork(tmp_path, 4, isolated=False) as network:
        alice, bob, charlie, _ = network.nodes
        watch, operators = Watch(network), Operators(network)
        progress = Progress(network, watch, said.append)
        network.start(*network.nodes)
        watch.start()
        operators.start()
        until(lambda: min(network.heights()) >= 5, "the network makes blocks")

        # Two at a time: one loses its log, at the other a second process is refused.
        progress.begin(Begun(fault_named("second process"), (alice.name,)), random.Random(5))
        progress.begin(Begun(fault_named("deleted consensus log"), (bob.name,)), random.Random(5))
        assert [begun.nodes for begun in progress.going_on()] == [(alice.name,), (bob.name,)]
        progress.wait()
        until(lambda: bob in network.able(), "it votes again two epochs later")
        assert (bob.abstain_until() or 0) > 1

        progress.begin(Begun(fault_named("corrupted database"), (charlie.name,)), random.Random(5))
        progress.wait()
        height = max(network.heights())
        until(lambda: min(network.heights()) > height + 3, "all four go on")
        operators.stop()
        watch.stop()
        watch.read_logs()
        assert network.stop() == [0] * 4
        progress.close()
        assert watch.check_databases([]) > height
        assert progress.failures + watch.violations + watch.contradictions() == []
        assert watch.votes.count > 40
    remarks = {outcome.fault: outcome.remark for outcome in said}
    assert len(remarks) == 3
    assert "another node uses this database" in remarks["second process"]


def fault_named(name: str) -> Fault:
    return next(fault for fault in FAULTS if fault.name == name)


def test_a_node_whose_disk_is_full_stops_with_one_line_and_goes_on_later(tmp_path: Path) -> None:
    base_path = tmp_path / "node"
    ready = tmp_path / "ready.json"
    spec = tmp_path / "spec.json"
    quick_spec(1).save(spec)
    alone = ("--chain", str(spec), "--alice", "--no-worker")
    command = [*POCL, "node", *alone, "--base-path", str(base_path), "--ready-file", str(ready)]
    command += ["--no-prometheus", "--port", "0", "--rpc-port", "0", "--p2p-listen", "127.0.0.1"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        until(ready.exists, "the node starts")
        refuse_writes(process.pid)
        _, told = process.communicate(timeout=PATIENCE_S)
    last = told.strip().splitlines()[-1]
    assert process.returncode == 1, told
    assert last.startswith("pocl: "), told
    assert "File too large" in last
    assert "Traceback" not in told
    with running_node(base_path, *alone) as again, Client(again["rpc_address"]) as client:
        height = client.info().final_number
        until(lambda: client.info().final_number > height, "it goes on")
    # With the log damaged it does not start at all.
    log = consensus_log_file(base_path)
    damaged = bytearray(log.read_bytes())
    damaged[100] ^= 0xFF
    log.write_bytes(damaged)
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert refused.returncode == 1
    assert "is damaged at byte" in refused.stderr.strip().splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_a_killed_worker_is_started_again_and_the_node_stays(tmp_path: Path) -> None:
    assert kill_worker_of(tmp_path) == "killed by signal 9: starting it again in 1 s"


@pytest.mark.slow
def test_a_random_run_of_two_minutes(tmp_path: Path) -> None:
    seed = time.time_ns() % 1_000_000
    command = [sys.executable, "-m", "tests.faults", "--minutes", "2", "--every", "10"]
    command += ["--at-once", "2", "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr

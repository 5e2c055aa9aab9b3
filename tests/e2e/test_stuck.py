"""Two of four validators fall silent: the chain stops safely, says why, and goes on by itself when one is back."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.cli import run
from node.devnet.processes import NodeProcess, stop_all
from tests.e2e.test_restart import Network, until


class Silenced(Network):
    """Two ways of falling silent: the connections of who is paused stay for a while."""

    def pause(self, *nodes: NodeProcess) -> None:
        self._signal(signal.SIGSTOP, nodes)

    def resume(self, *nodes: NodeProcess) -> None:
        self._signal(signal.SIGCONT, nodes)

    def _signal(self, number: signal.Signals, nodes: tuple[NodeProcess, ...]) -> None:
        for node in nodes:
            assert node.process is not None
            os.kill(node.process.pid, number)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Silenced]:
    network = Silenced(tmp_path)
    try:
        yield network
    finally:
        network.resume(*(node for node in network.nodes if node.process and node.process.poll() is None))
        stop_all(network.nodes)


@pytest.mark.parametrize("way", ["killed", pytest.param("paused", marks=pytest.mark.slow)])
def test_two_of_four_silent_stop_the_chain_until_one_is_back(
    network: Silenced, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    alice, bob, charlie, dave = network.nodes
    silence, wake = {
        "killed": (network.kill, network.start),
        "paused": (network.pause, network.resume),
    }[way]

    def status() -> dict[str, Any]:
        capsys.readouterr()
        assert run(["status", "--rpc", alice.rpc_address, "--json"]) == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    network.start(*network.nodes)
    until(lambda: network.final(alice) >= 5, "the network makes blocks")
    assert status()["state"] == "moving"

    silence(charlie, dave)
    # Whose votes are missing, or whose connections once those are gone; and how many are needed.
    until(lambda: status()["sentence"].endswith("waiting for charlie and dave"), "it says who is missing")
    stuck = status()
    assert stuck["state"] == "stuck"
    assert re.search(r"\d of 3 votes|3 are needed", stuck["sentence"]), stuck["sentence"]
    # By its own account nothing became final for as long as a chain that moves may take.
    assert stuck["final_age_ms"] >= 10_000
    height = network.final(alice)
    assert abs(network.final(bob) - height) <= 1

    wake(charlie)
    until(
        lambda: all(network.final(node) > height + 5 for node in (alice, bob, charlie)),
        "the chain goes on by itself with three",
    )
    until(lambda: status()["state"] == "moving", "it says that the chain moves")
    assert status()["sentence"].startswith("final and moving: block ")

    wake(dave)
    until(lambda: network.final(dave) > height + 5, "the fourth catches up")
    # Nobody has another block at a height at which the chain stood or went on.
    for number in range(max(1, height - 1), height + 6):
        assert len(network.hashes(number)) == 1

"""Which workers of a devnet cheat, and who knows of whom."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from node import chain_spec
from node.cli.devnet_command import _behaviours
from node.cli.node_command import _Options, command, make_config
from node.dev_accounts import dev_uri
from node.devnet.display import LineDisplay
from node.devnet.runner import Devnet, DevnetOptions, _introduce_accomplices
from node.errors import ConfigError
from node.rpc.reports import WorkerReports
from node.worker.behaviours import FolderCollusion
from node.worker_process import WorkerProcess
from pocl.keys import Keypair


def test_a_behaviour_is_given_to_a_node_with_its_parameters():
    given = ("bob=knn", "dave=sign_flip:scale=10,max_drop=0.1")
    assert _behaviours(given, 4) == {"bob": "knn", "dave": "sign_flip:scale=10,max_drop=0.1"}
    assert _behaviours((), 4) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bob", "is not NODE=CHEAT with a node among alice, bob"),
        ("eve=knn", "is not NODE=CHEAT with a node among alice, bob"),
        ("bob=nice", "there is no behaviour 'nice'"),
        ("bob=knn:k=3", "behaviour knn has no parameter 'k'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_node_starts(text, message):
    with pytest.raises(ConfigError, match=message):
        _behaviours((text,), 2)


def test_those_with_the_same_behaviour_are_introduced_to_each_other(tmp_path: Path):
    behaviours = {"alice": "alie", "charlie": "alie:z=2", "dave": "knn"}
    options = DevnetOptions(chain_spec.load("local"), 4, 1, tmp_path, behaviours=behaviours)
    devnet = Devnet(options, LineDisplay(Console(file=io.StringIO()), {}))
    _introduce_accomplices(tmp_path, behaviours, devnet.nodes)
    alice, bob, charlie, dave = (Keypair.from_uri(dev_uri(index)).public for index in range(4))
    flags = {node.name: devnet._flags(node) for node in devnet.nodes}
    folders = {
        name: Path(given[given.index("--worker-collusion") + 1])
        for name, given in flags.items()
        if "--worker-collusion" in given
    }
    assert folders["alice"] == folders["charlie"] != folders["dave"]
    assert "bob" not in folders
    assert set(FolderCollusion(folders["alice"], charlie, bytes(32)).accounts) == {alice, charlie}
    assert FolderCollusion(folders["dave"], dave, bytes(32)).accounts == (dave,)
    with pytest.raises(ConfigError):
        FolderCollusion(folders["alice"], bob, bytes(32))


def test_a_node_hands_behaviour_and_accomplices_to_its_worker(tmp_path: Path):
    given = ["--worker-behaviour", "alie:z=2", "--worker-collusion", str(tmp_path / "gang")]
    context = command.make_context("node", ["--dev", "--base-path", str(tmp_path), *given])
    worker = WorkerProcess(make_config(_Options(**context.params)), "127.0.0.1:1", WorkerReports())
    line = worker._command
    assert line[line.index("--behaviour") + 1] == "alie:z=2"
    assert line[line.index("--collusion") + 1] == str(tmp_path / "gang")

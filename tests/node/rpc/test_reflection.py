"""A client made from reflection alone, as a process of its own, against a real chain."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
from pathlib import Path

from tests.node.rpc.harness import EVE, Node
from tests.node.rpc.miner import Miner

SCRIPT = Path(__file__).parents[2] / "reflection_client.py"


def test_it_reads_signs_and_follows_a_transfer_until_it_has_settled(node: Node, tmp_path: Path) -> None:
    submitted = threading.Event()
    node.pool.subscribe(lambda event: submitted.set())
    node.author()
    client = subprocess.Popen(
        [sys.executable, str(SCRIPT), node.server.address, EVE.seed.hex(), "60"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert submitted.wait(60), client.communicate()[1]
        node.author()
        miner = Miner(node)
        miner.play(1)
        node.author()
        miner.play(2)
        node.author()
        out, error = client.communicate(timeout=60)
    finally:
        client.kill()
    assert client.returncode == 0, error
    seen = json.loads(out)
    assert {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "pocl.v1.BlobsService",
        "pocl.v1.ChainService",
        "pocl.v1.NodeService",
        "pocl.v1.RoundsService",
        "pocl.v1.StateService",
        "pocl.v1.TransactionsService",
        "pocl.v1.WorkerService",
    } <= set(seen["services"])
    assert [status["kind"] for status in seen["statuses"]] == ["READY", "INCLUDED", "FINALIZED", "SETTLED"]
    assert seen["statuses"][-1]["round"] == 2
    assert seen["block"]["number"] == 1
    assert seen["round"] == {"round": 1, "miners": 1}
    assert seen["balance"] == seen["balance_by_storage"] == str(10**18)
    assert seen["received"] == str(10**12)
    assert seen["genesis_hash"] == node.chain.genesis_hash.hex()
    assert {"coin", "round", "vote"} <= set(seen["pallets"])


def test_it_imports_nothing_of_this_project() -> None:
    tree = ast.parse(SCRIPT.read_text())
    roots = set()
    for found in ast.walk(tree):
        if isinstance(found, ast.Import):
            roots |= {name.name.partition(".")[0] for name in found.names}
        elif isinstance(found, ast.ImportFrom):
            roots.add((found.module or "").partition(".")[0])
    assert roots <= set(sys.stdlib_module_names) | {"google", "grpc", "grpc_reflection", "nacl"}

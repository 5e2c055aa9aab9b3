"""One validator as a process: a transfer settles, and a client that knows nothing of this project follows it.

What the node then says of its chain is checked by a light client that trusts the genesis header alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pocl.client import Client
from pocl.keys import Keypair
from tests.e2e.audit import check_issuance, check_with_a_light_client
from tests.e2e.processes import ROOT, pocl, running_node


def test_a_client_made_from_reflection_follows_its_transfer_to_settlement(tmp_path: Path) -> None:
    with running_node(tmp_path / "node", "--dev", "--worker-threads", "1") as ready:
        address = ready["rpc_address"]
        client = subprocess.run(
            [
                sys.executable,
                ROOT / "tests" / "reflection_client.py",
                address,
                Keypair.from_uri("//Eve").seed.hex(),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert client.returncode == 0, client.stderr
        seen = json.loads(client.stdout)
        kinds = [status["kind"] for status in seen["statuses"]]
        assert [kind for kind in kinds if kind not in ("READY", "FUTURE")] == [
            "INCLUDED",
            "FINALIZED",
            "SETTLED",
        ]
        assert "pocl.v1.ChainService" in seen["services"]

        report = subprocess.run(
            [sys.executable, ROOT / "examples" / "round_report.py", "--rpc", address, "1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert report.returncode == 0, report.stderr
        assert Keypair.from_uri("//Alice").address[:8] in report.stdout

        with Client(address) as client_of_ours:
            check_with_a_light_client(client_of_ours, 1)
            check_issuance(client_of_ours)

        query = pocl("query", "round", "1", "--rpc", address, "--json")
        assert query.returncode == 0, query.stderr
        assert json.loads(query.stdout)["round"] == 1

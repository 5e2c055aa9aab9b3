"""One validator as a process: a transfer settles, and a client that knows nothing of this project follows it.

What the node then says of its chain is checked by a light client that trusts the genesis header alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pocl.client import Client
from pocl.extrinsics import u128_int
from pocl.keys import Keypair
from pocl.v1.system_pb2 import AccountInfo
from runtime.light import LightClient
from tests.e2e.processes import ROOT, pocl, running_node


def followed(client: Client) -> LightClient:
    """Return a light client that has checked the certificates of all final blocks of a node."""
    headers = list(client.headers())
    light = LightClient(headers[0])
    for header in headers[1:]:
        light.import_final(header, client.justification(header.number))
    return light


def check_with_a_light_client(client: Client) -> None:
    """Check certificates, a balance and the certificate of round 1 with what `runtime/` alone can check."""
    light = followed(client)
    number = light.final.number
    assert light.epoch >= 2
    account = Keypair.from_uri("//Alice").public
    balance = light.verify_value(client.proof("system", "Account", account, number=number).proof, number)
    assert balance is not None
    assert AccountInfo.FromString(balance).free == client.account(account, number).free
    attesters = client.round(1).summary.attesters
    summary = light.verify_round_certificate(
        client.proof("round", "Summaries", 1, number=number).proof,
        [
            client.proof("aggregation", "Attestations", 1, attester, number=number).proof
            for attester in attesters
        ],
        number,
    )
    assert [reward.miner for reward in summary.rewards] == [account]


def check_issuance(client: Client) -> None:
    """Check that all balances add up to the issuance, and this to genesis and rewards."""
    number = client.info().final_number
    accounts = [account for _, account in client.entries("system", "Account", number=number)]
    held = sum(u128_int(account.free) + u128_int(account.reserved) for account in accounts)
    assert held == client.storage("coin", "TotalIssuance", number=number)
    ended = [view for view in client.rounds() if view.ended_block <= number]
    minted = sum(u128_int(reward.amount) for summary in ended for reward in summary.rewards)
    assert minted > 0
    assert held == client.storage("coin", "TotalIssuance", number=0) + minted


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
            check_with_a_light_client(client_of_ours)
            check_issuance(client_of_ours)

        query = pocl("query", "round", "1", "--rpc", address, "--json")
        assert query.returncode == 0, query.stderr
        assert json.loads(query.stdout)["round"] == 1

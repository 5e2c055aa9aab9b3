"""What anybody can check of a running or finished chain, over gRPC."""

from __future__ import annotations

from pocl.client import Client
from pocl.extrinsics import u128_int
from pocl.keys import Keypair
from pocl.v1.system_pb2 import AccountInfo
from runtime.light import LightClient


def followed(client: Client) -> LightClient:
    """Return a light client that has checked the certificates of all final blocks of a node."""
    headers = list(client.headers())
    light = LightClient(headers[0])
    for header in headers[1:]:
        light.import_final(header, client.justification(header.number))
    return light


def check_with_a_light_client(client: Client, round: int) -> None:
    """Check certificates, a balance and a round's certificate with what `runtime/` alone can check."""
    light = followed(client)
    number = light.final.number
    assert light.epoch >= 2
    account = Keypair.from_uri("//Alice").public
    balance = light.verify_value(client.proof("system", "Account", account, number=number).proof, number)
    assert balance is not None
    assert AccountInfo.FromString(balance).free == client.account(account, number).free
    told = client.round(round).summary
    summary = light.verify_round_certificate(
        client.proof("round", "Summaries", round, number=number).proof,
        [
            client.proof("aggregation", "Attestations", round, attester, number=number).proof
            for attester in told.attesters
        ],
        number,
    )
    assert summary == told


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

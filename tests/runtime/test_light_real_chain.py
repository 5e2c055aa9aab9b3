"""What a light client can know of a real chain: two rounds of the whole runtime, every block certified.

The miners' calls are scripted (tests/pallets/round/scripted.py); everything checked comes from the genesis
header, certificates, headers and proofs.
"""

import pytest

from pallets.system import System
from pocl.extrinsics import u128_int
from pocl.hashing import blob_name
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import FINALIZE, Justification
from pocl.v1.proof_pb2 import StateProof
from pocl.v1.system_pb2 import AccountInfo
from runtime.blocks import header_hash
from runtime.certificates import CertificateError, make_certificate, vote_message
from runtime.light import ATTESTATIONS, SUMMARIES, LightClient, LightClientError
from runtime.tree import prove
from tests.pallets.harness import BOB, RICH
from tests.pallets.round.scripted import Scripted


@pytest.fixture(scope="module")
def rounds() -> Scripted:
    rounds = Scripted(4)
    rounds.play()
    rounds.play()
    return rounds


def justification(rounds: Scripted, header: Header) -> Justification:
    """Return the finalize certificate of a quorum of the miners."""
    hash = header_hash(header)
    message = vote_message(rounds.chain.genesis_hash, header.epoch, header.view, FINALIZE, hash)
    votes = {index: rounds.miners[index].sign(message) for index in (0, 1, 3)}
    certificate = make_certificate(header.epoch, header.view, FINALIZE, hash, votes, 4)
    return Justification(certificate=certificate)


def proof(rounds: Scripted, key: bytes) -> StateProof:
    state = rounds.chain.state
    return prove(state, state.version, key, state.get(key))


def test_every_block_is_followed_from_the_genesis_header(rounds: Scripted) -> None:
    headers = [block.header for block in rounds.chain.blocks]
    client = LightClient(headers[0])
    for header in headers[1:]:
        client.import_final(header, justification(rounds, header))
    assert client.final == rounds.chain.head.header
    assert client.epoch == 3
    # Closing blocks alone lead to the same place.
    skipping = LightClient(headers[0])
    for header in headers[1:]:
        if header.HasField("next_epoch"):
            skipping.import_final(header, justification(rounds, header))
    assert skipping.final == client.final
    changed = Header()
    changed.CopyFrom(headers[3])
    changed.state_root = bytes(32)
    with pytest.raises(CertificateError):
        LightClient(headers[0]).import_final(changed, justification(rounds, headers[3]))


@pytest.fixture
def client(rounds: Scripted) -> LightClient:
    client = LightClient(rounds.chain.blocks[0].header)
    for block in rounds.chain.blocks[1:]:
        if block.header.HasField("next_epoch"):
            client.import_final(block.header, justification(rounds, block.header))
    return client


def test_a_balance_is_proven(rounds: Scripted, client: LightClient) -> None:
    prefix = System.storage_items["Account"].prefix
    balance = client.verify_value(proof(rounds, prefix + BOB.public))
    assert balance is not None
    assert u128_int(AccountInfo.FromString(balance).free) == RICH
    assert client.verify_value(proof(rounds, prefix + b"nobody".ljust(32))) is None
    richer = proof(rounds, prefix + BOB.public)
    richer.value = b"\x7f" + richer.value
    with pytest.raises(LightClientError):
        client.verify_value(richer)


@pytest.mark.parametrize("number", [1, 2])
def test_a_round_is_certified(rounds: Scripted, client: LightClient, number: int) -> None:
    round_key = number.to_bytes(8, "big")
    attested = [proof(rounds, ATTESTATIONS + round_key + account) for account in rounds.accounts]
    summary = client.verify_round_certificate(proof(rounds, SUMMARIES + round_key), attested)
    assert list(summary.attesters) == rounds.accounts
    assert summary.global_model == rounds.summary(number).global_model == blob_name(b"model" + round_key)
    with pytest.raises(LightClientError, match="2 attestations proven"):
        client.verify_round_certificate(proof(rounds, SUMMARIES + round_key), attested[:2])
    with pytest.raises(LightClientError, match="no summary"):
        client.verify_round_certificate(proof(rounds, SUMMARIES + (9).to_bytes(8, "big")))

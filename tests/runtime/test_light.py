"""The light client, over a chain with a change of validators, with proofs of a balance and of rounds."""

from collections.abc import Sequence

import pytest

from pallets.aggregation import Aggregation
from pallets.round import Round
from pocl.v1.aggregation_pb2 import Attestation
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.proof_pb2 import StateProof
from pocl.v1.round_pb2 import SETTLED, VOID, RoundSummary
from runtime import light
from runtime.certificates import CertificateError
from runtime.codec import encode
from runtime.light import LightClient, LightClientError
from tests.runtime.signed_chain import OTHERS, VALIDATORS, SignedChain

MODEL = b"m" * 32
ACCOUNTS = [pair.public for pair in VALIDATORS]


def summary_key(round: int) -> bytes:
    return light.SUMMARIES + round.to_bytes(8, "big")


def attestation_key(round: int, account: bytes) -> bytes:
    return light.ATTESTATIONS + round.to_bytes(8, "big") + account


def settled(round: int, attesters: Sequence[bytes], model: bytes = MODEL) -> dict[bytes, bytes | None]:
    """Return what a settled round leaves in the state."""
    summary = RoundSummary(round=round, outcome=SETTLED, global_model=model, attesters=attesters)
    changes: dict[bytes, bytes | None] = {summary_key(round): encode(summary)}
    for account in attesters:
        changes[attestation_key(round, account)] = encode(Attestation(global_model=MODEL, size=5))
    return changes


def make_chain(round_one: dict[bytes, bytes | None]) -> SignedChain:
    """Block 3 closes epoch 1 with what is given; epoch 2 has other validators and is closed by block 5."""
    chain = SignedChain(genesis={b"coin": b"10", b"other": b"x"})
    chain.block({b"coin": b"11"})
    chain.block({b"coin": None})
    chain.block(round_one, opens=OTHERS)
    chain.block({b"coin": b"12"})
    chain.block(settled(2, [pair.public for pair in OTHERS[1:]]), opens=VALIDATORS)
    chain.block({})
    return chain


@pytest.fixture(scope="module")
def chain() -> SignedChain:
    return make_chain(settled(1, ACCOUNTS[:3]))


def follow(chain: SignedChain, *numbers: int) -> LightClient:
    client = LightClient(chain.headers[0])
    for number in numbers:
        client.import_final(chain.headers[number], chain.justification(number))
    return client


def test_the_names_are_those_of_the_pallets() -> None:
    assert Round.storage_items["Summaries"].prefix == light.SUMMARIES
    assert Aggregation.storage_items["Attestations"].prefix == light.ATTESTATIONS


def test_it_follows_the_sets_through_closing_blocks_alone(chain: SignedChain) -> None:
    client = follow(chain, 3, 5, 6)
    assert client.final == chain.headers[6]
    assert client.epoch == 3
    assert client.validators(1) == client.validators(3) == tuple(ACCOUNTS)
    assert client.validators(2) == tuple(pair.public for pair in OTHERS)
    # Headers in between, later and by a descendant's certificate.
    client.import_final(chain.headers[2], chain.justification(2, certified=3))
    assert client.final == chain.headers[6]


def test_it_takes_nothing_from_an_epoch_it_has_not_reached(chain: SignedChain) -> None:
    client = follow(chain)
    for number in (4, 5):
        with pytest.raises(LightClientError, match="import the closing blocks from epoch 1"):
            client.import_final(chain.headers[number], chain.justification(number))
    assert client.final == chain.headers[0]


def test_the_old_set_signs_nothing_in_a_new_epoch(chain: SignedChain) -> None:
    client = follow(chain, 3)
    chain.sets[2], by_others = VALIDATORS, chain.sets[2]
    try:
        forged = chain.justification(4)
    finally:
        chain.sets[2] = by_others
    with pytest.raises(CertificateError, match="not valid"):
        client.import_final(chain.headers[4], forged)
    client.import_final(chain.headers[4], chain.justification(4))


def signed(chain: SignedChain, block: int, /, **fields: object) -> tuple[Header, Justification]:
    """Return a header like that of that block but for some fields, with the signatures of its set."""
    header = Header()
    header.CopyFrom(chain.headers[block])
    for name, value in fields.items():
        setattr(header, name, value)
    return header, Justification(certificate=chain.certificate(header))


def test_final_headers_that_exclude_each_other_are_reported(chain: SignedChain) -> None:
    client = follow(chain, 2, 3)
    for other in (signed(chain, 2, view=99), signed(chain, 3, view=99), signed(chain, 3, number=1)):
        with pytest.raises(LightClientError, match="exclude each other"):
            client.import_final(*other)
    assert client.final == chain.headers[3]


def test_a_header_has_a_place_in_its_epoch(chain: SignedChain) -> None:
    client = follow(chain, 3)
    for other in (signed(chain, 2, number=7), signed(chain, 4, number=3), signed(chain, 2, number=0)):
        with pytest.raises(LightClientError, match="out of place"):
            client.import_final(*other)


def test_a_set_that_cannot_be_one_is_not_trusted(chain: SignedChain) -> None:
    client = follow(chain)
    for accounts, match in (([], "empty"), (ACCOUNTS[::-1], "unsorted"), (ACCOUNTS[:1] * 4, "unsorted")):
        header, _ = signed(chain, 3)
        header.next_epoch.validators[:] = accounts
        with pytest.raises(LightClientError, match=match):
            client.import_final(header, Justification(certificate=chain.certificate(header)))
    for epoch in (1, 3):
        header, _ = signed(chain, 3)
        header.next_epoch.epoch = epoch
        with pytest.raises(LightClientError, match=f"closes epoch 1 but opens {epoch}"):
            client.import_final(header, Justification(certificate=chain.certificate(header)))
    header, _ = signed(chain, 3)
    header.next_epoch.leaders[:] = [b"s" * 32]
    with pytest.raises(LightClientError, match="leader"):
        client.import_final(header, Justification(certificate=chain.certificate(header)))
    assert client.epoch == 1
    with pytest.raises(LightClientError, match="genesis"):
        LightClient(chain.headers[1])


def test_values_are_proven_at_each_imported_header(chain: SignedChain) -> None:
    client = follow(chain, 1, 2, 3, 4)
    values = [client.verify_value(chain.proof(b"coin", number), number) for number in range(5)]
    assert values == [b"10", b"11", None, None, b"12"]
    assert client.verify_value(chain.proof(b"other", 4)) == b"x"
    with pytest.raises(LightClientError, match="not valid"):
        client.verify_value(chain.proof(b"coin", 1))
    with pytest.raises(LightClientError, match="not imported"):
        client.verify_value(chain.proof(b"coin", 6), 6)


def attestations(chain: SignedChain, round: int, accounts: Sequence[bytes]) -> list[StateProof]:
    return [chain.proof(attestation_key(round, account)) for account in accounts]


def test_a_settled_round_is_certified(chain: SignedChain) -> None:
    client = follow(chain, 3, 5, 6)
    summary = client.verify_round_certificate(chain.proof(summary_key(1)))
    assert summary.global_model == MODEL
    assert list(summary.attesters) == ACCOUNTS[:3]
    client.verify_round_certificate(chain.proof(summary_key(1)), attestations(chain, 1, ACCOUNTS[:3]))
    others = [pair.public for pair in OTHERS[1:]]
    client.verify_round_certificate(chain.proof(summary_key(2)), attestations(chain, 2, others))


def uncertified(
    match: str, changes: dict[bytes, bytes | None], key: bytes = b"", accounts: Sequence[bytes] = ()
) -> None:
    """Check that round 1, closed with these changes, is not taken for settled."""
    chain = make_chain(changes)
    client = follow(chain, 3, 5, 6)
    with pytest.raises(LightClientError, match=match):
        client.verify_round_certificate(chain.proof(key or summary_key(1)), attestations(chain, 1, accounts))


def test_a_round_without_a_quorum_of_its_own_set_is_not_settled() -> None:
    stranger = OTHERS[-1].public
    uncertified("2 attesters, a quorum is 3", settled(1, ACCOUNTS[:2]))
    uncertified("not different validators", settled(1, [ACCOUNTS[0], ACCOUNTS[0], ACCOUNTS[1]]))
    uncertified("not different validators", settled(1, [*ACCOUNTS[:3], stranger]))


def test_only_a_canonical_settled_summary_of_the_round_counts() -> None:
    void = encode(RoundSummary(round=1, outcome=VOID, void_reason="nobody passed", attesters=ACCOUNTS))
    uncertified("not settled: nobody passed", {summary_key(1): void})
    uncertified("not settled", {summary_key(1): settled(3, ACCOUNTS)[summary_key(3)]})
    uncertified("not settled", settled(1, ACCOUNTS, model=b""))
    uncertified("summary of round 1: not", {summary_key(1): b"\xff"})
    uncertified("no summary", settled(1, ACCOUNTS), key=summary_key(9))
    uncertified("not that of a round's summary", settled(1, ACCOUNTS), key=b"coin")
    uncertified("epoch 5 are not known", settled(5, ACCOUNTS), key=summary_key(5))


def test_attestations_must_be_a_quorum_of_different_attesters_for_that_model() -> None:
    good = settled(1, ACCOUNTS[:3])
    uncertified("2 attestations proven", good, accounts=[ACCOUNTS[0], ACCOUNTS[1], ACCOUNTS[1]])
    uncertified("not that of an attester", good, accounts=[*ACCOUNTS[:3], ACCOUNTS[3]])
    uncertified("not that of an attester", good, accounts=[b"short"])
    uncertified("did not attest", good | {attestation_key(1, ACCOUNTS[2]): None}, accounts=ACCOUNTS[:3])
    other = {attestation_key(1, ACCOUNTS[0]): encode(Attestation(global_model=b"o" * 32, size=5))}
    uncertified("attested another global model", good | other, accounts=ACCOUNTS[:3])
    said = Attestation(global_model=MODEL, size=5, server_state=b"s" * 32, server_state_size=5)
    other = {attestation_key(1, ACCOUNTS[0]): encode(said)}
    uncertified("attested another server state", good | other, accounts=ACCOUNTS[:3])


def test_what_is_kept_is_bounded(chain: SignedChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "HEADERS_KEPT", 2)
    client = follow(chain, 3, 5, 6)
    assert client.verify_value(chain.proof(b"coin", 5), 5) == b"12"
    with pytest.raises(LightClientError, match="not imported"):
        client.verify_value(chain.proof(b"coin", 3), 3)
    with pytest.raises(LightClientError, match="exclude each other"):
        client.import_final(*signed(chain, 3, view=99))

"""What clients sign and submit, against the published vectors."""

import hashlib

import pytest

from pocl.extrinsics import ExtrinsicError, extrinsic_hash, sign_call, signing_digest, u128, u128_int
from pocl.keys import Keypair, verify
from pocl.v1.extrinsic_pb2 import Call, Extrinsic, Payload
from runtime.codec import decode
from tests.pocl import signing_vectors

ALICE = Keypair.from_uri("//Alice")
CALL = Call(pallet="coin", function="transfer", args=b"args")


def sign(**values: int | None) -> bytes:
    return sign_call(
        ALICE,
        CALL,
        genesis_hash=bytes(range(32)),
        spec_version=3,
        transaction_version=2,
        **values,  # type: ignore[arg-type]
    )


def test_u128_is_sixteen_bytes_big_endian() -> None:
    assert u128(258) == bytes(14) + b"\x01\x02"
    assert u128_int(u128(2**128 - 1)) == 2**128 - 1
    for value in (-1, 2**128):
        with pytest.raises(ExtrinsicError, match="u128"):
            u128(value)
    for size in (0, 15, 17):
        with pytest.raises(ExtrinsicError, match="exactly 16"):
            u128_int(bytes(size))


def test_the_digest_covers_chain_versions_and_payload() -> None:
    digest = signing_digest(b"payload", bytes(range(32)), 3, 2)
    message = b"pocl/extrinsic/1" + bytes(range(32)) + b"\0\0\0\x03\0\0\0\x02payload"
    assert digest == hashlib.blake2b(message, digest_size=32).digest()
    others = {
        signing_digest(b"payload!", bytes(range(32)), 3, 2),
        signing_digest(b"payload", bytes(32), 3, 2),
        signing_digest(b"payload", bytes(range(32)), 4, 2),
        signing_digest(b"payload", bytes(range(32)), 3, 3),
    }
    assert len(others | {digest}) == 5
    with pytest.raises(ExtrinsicError, match="genesis hash"):
        signing_digest(b"", bytes(31), 1, 1)
    with pytest.raises(ExtrinsicError, match="spec_version"):
        signing_digest(b"", bytes(32), 2**32, 1)


def test_a_signed_call_is_canonical_and_verifies() -> None:
    data = sign(nonce=0, tip=5, valid_until=9)
    extrinsic = decode(Extrinsic, data)
    payload = decode(Payload, extrinsic.payload)
    assert payload == Payload(call=CALL, nonce=0, tip=u128(5), valid_until=9)
    assert payload.WhichOneof("sequence") == "nonce"
    assert extrinsic.signer == ALICE.public
    digest = signing_digest(extrinsic.payload, bytes(range(32)), 3, 2)
    assert verify(ALICE.public, digest, extrinsic.signature)
    assert sign(nonce=0, tip=5, valid_until=9) == data


def test_an_operational_call_carries_its_round() -> None:
    payload = decode(Payload, decode(Extrinsic, sign(round=0)).payload)
    assert payload.WhichOneof("sequence") == "round"
    assert payload.tip == bytes(16)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "exactly one"),
        ({"nonce": 1, "round": 1}, "exactly one"),
        ({"round": 1, "tip": 1}, "tip must be 0"),
        ({"nonce": 2**64}, "nonce"),
        ({"round": -1}, "round"),
        ({"nonce": 1, "tip": -1}, "u128"),
        ({"nonce": 1, "valid_until": 2**64}, "valid_until"),
    ],
)
def test_values_no_node_accepts_are_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(ExtrinsicError, match=message):
        sign(**values)


def test_the_hash_is_domain_separated() -> None:
    data = sign(nonce=1)
    assert extrinsic_hash(data) == hashlib.blake2b(b"pocl/extrinsic-hash/1" + data, digest_size=32).digest()


def test_published_signing_vectors_are_true() -> None:
    assert signing_vectors.PATH.read_text() == signing_vectors.text()

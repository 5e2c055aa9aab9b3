"""Making extrinsics: what every client needs to sign a call (see proto/pocl/v1/extrinsic.proto).

docs/vectors/signing.json holds signing vectors for clients in other languages.
"""

from __future__ import annotations

from pocl.hashing import HASH_SIZE, hash256
from pocl.keys import Keypair
from pocl.v1.extrinsic_pb2 import Call, Extrinsic, Payload

U128_MAX = 2**128 - 1
U64_MAX = 2**64 - 1
U128_SIZE = 16


class ExtrinsicError(ValueError):
    """An extrinsic cannot be made from these values; the message says which one is wrong."""


def u128(value: int) -> bytes:
    """Return an amount as its 16 bytes, big-endian. Raise ExtrinsicError outside 0 to 2^128 - 1."""
    if not 0 <= value <= U128_MAX:
        raise ExtrinsicError(f"{value} does not fit in a u128")
    return value.to_bytes(U128_SIZE, "big")


def u128_int(data: bytes) -> int:
    """Return the amount of exactly 16 big-endian bytes. Raise ExtrinsicError for any other length."""
    if len(data) != U128_SIZE:
        raise ExtrinsicError(f"a u128 has exactly {U128_SIZE} bytes, not {len(data)}")
    return int.from_bytes(data, "big")


def signing_digest(payload: bytes, genesis_hash: bytes, spec_version: int, transaction_version: int) -> bytes:
    """Return the 32 bytes an extrinsic's signature covers.

    `payload` is the canonical Payload. Chain and versions are covered but not carried, so that an extrinsic
    signed for another chain, or for calls that have changed since, is invalid.
    """
    if len(genesis_hash) != HASH_SIZE:
        raise ExtrinsicError(f"a genesis hash has {HASH_SIZE} bytes, not {len(genesis_hash)}")
    versions = _u32(spec_version, "spec_version") + _u32(transaction_version, "transaction_version")
    return hash256("pocl/extrinsic/1", genesis_hash, versions, payload)


def sign_call(
    keypair: Keypair,
    call: Call,
    *,
    genesis_hash: bytes,
    spec_version: int,
    transaction_version: int,
    nonce: int | None = None,
    round: int | None = None,
    tip: int = 0,
    valid_until: int = 0,
) -> bytes:
    """Return the canonical Extrinsic of a call, signed.

    Exactly one of `nonce` (normal class) and `round` (operational class) is given. `tip` is in the smallest
    unit, for the normal class only. `valid_until` is the last block number that may include it, 0 for ever.
    Raise ExtrinsicError for values that no node would accept.
    """
    payload = Payload(call=call, tip=u128(tip), valid_until=_u64(valid_until, "valid_until"))
    if nonce is not None and round is None:
        payload.nonce = _u64(nonce, "nonce")
    elif round is not None and nonce is None:
        if tip:
            raise ExtrinsicError("an operational call is free: its tip must be 0")
        payload.round = _u64(round, "round")
    else:
        raise ExtrinsicError("give exactly one of nonce (normal class) and round (operational class)")
    data = payload.SerializeToString(deterministic=True)
    digest = signing_digest(data, genesis_hash, spec_version, transaction_version)
    extrinsic = Extrinsic(payload=data, signer=keypair.public, signature=keypair.sign(digest))
    return extrinsic.SerializeToString(deterministic=True)


def extrinsic_hash(extrinsic: bytes) -> bytes:
    """Return the hash by which an extrinsic is known in pool, gRPC and explorer."""
    return hash256("pocl/extrinsic-hash/1", extrinsic)


def _u64(value: int, name: str) -> int:
    if not 0 <= value <= U64_MAX:
        raise ExtrinsicError(f"{name} {value} does not fit in a u64")
    return value


def _u32(value: int, name: str) -> bytes:
    if not 0 <= value < 2**32:
        raise ExtrinsicError(f"{name} {value} does not fit in a u32")
    return value.to_bytes(4, "big")

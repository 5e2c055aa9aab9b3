"""Commitments and tags: how a miner binds itself before it shows, and shows that it holds what it talks
about.

    commitment = H("pocl/commitment/1" || u8(len(kind)) || kind || genesis hash || u64be(round) || account
                   || salt (32 bytes) || payload)

The kind, the chain, the round and the author are inside, so a commitment copied from another miner, round or
chain opens nothing. The salt hides a payload that could be guessed. Kinds and payloads:
    "weights"      the blob name of the weights (32 bytes)
    "labels"       the labels of the own test records, one byte a record
    "predictions"  the bytes of `prediction.reveal`

    audit tag  = H("pocl/tag/audit/1"  || account || u64be(round) || weights bytes)
    attest tag = H("pocl/tag/attest/1" || account || u64be(round) || global model bytes)

A tag can be made only with the bytes at hand (their hash, which is public, is not enough), and only for one's
own account. The chain, which holds no weights, cannot check a tag; any miner that holds the bytes can.

On-chain and off-chain halves use these same functions.
"""

from __future__ import annotations

from pocl.hashing import HASH_SIZE, hash256

SALT_SIZE = 32
"""Bytes of a salt."""

WEIGHTS = "weights"
LABELS = "labels"
PREDICTIONS = "predictions"
KINDS = (WEIGHTS, LABELS, PREDICTIONS)
"""The kinds of commitments; a miner uses one salt a kind and round."""


def commitment(
    kind: str, genesis_hash: bytes, round: int, account: bytes, salt: bytes, payload: bytes
) -> bytes:
    """Return the 32-byte commitment of `account` to `payload` in `round`.

    Raise ValueError for an unknown kind and for a hash, an account or a salt that has not 32 bytes: the
    parts are joined without separators.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of commitment: it may be one of {', '.join(KINDS)}")
    for name, value in (("genesis hash", genesis_hash), ("account", account), ("salt", salt)):
        if len(value) != HASH_SIZE:
            raise ValueError(f"the {name} of a commitment has {HASH_SIZE} bytes, not {len(value)}")
    prefix = bytes([len(kind)]) + kind.encode()
    return hash256("pocl/commitment/1", prefix, genesis_hash, _u64(round), account, salt, payload)


def audit_tag(account: bytes, round: int, weights: bytes) -> bytes:
    """Return the tag by which `account` shows that it holds the bytes of a winner's weights."""
    return _tag("pocl/tag/audit/1", account, round, weights)


def attest_tag(account: bytes, round: int, model: bytes) -> bytes:
    """Return the tag by which `account` shows that it holds the bytes of the new global model and server state.

    `model` are the bytes of both, one behind the other; of the model alone when the rule keeps no state.
    """
    return _tag("pocl/tag/attest/1", account, round, model)


def _tag(domain: str, account: bytes, round: int, data: bytes) -> bytes:
    if len(account) != HASH_SIZE:
        raise ValueError(f"the account of a tag has {HASH_SIZE} bytes, not {len(account)}")
    return hash256(domain, account, _u64(round), data)


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")

"""Commitments are bound to all that they name."""

from __future__ import annotations

import hashlib

import pytest

from pallets.commitments import LABELS, WEIGHTS, attest_tag, audit_tag, commitment

GENESIS, ACCOUNT, SALT = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32


def test_a_commitment_is_the_hash_that_the_module_states() -> None:
    data = (
        b"pocl/commitment/1" + b"\x06labels" + GENESIS + (7).to_bytes(8, "big") + ACCOUNT + SALT + b"\x01\x02"
    )
    expected = hashlib.blake2b(data, digest_size=32).digest()
    assert commitment(LABELS, GENESIS, 7, ACCOUNT, SALT, b"\x01\x02") == expected


def test_a_commitment_binds_kind_chain_round_account_salt_and_payload() -> None:
    honest = (LABELS, GENESIS, 7, ACCOUNT, SALT, b"payload")
    others = (WEIGHTS, ACCOUNT, 8, GENESIS, GENESIS, b"payloaf")
    made = {commitment(*honest)}
    for place, other in enumerate(others):
        changed = list(honest)
        changed[place] = other
        made.add(commitment(*changed))  # type: ignore[arg-type]
    assert len(made) == 7


@pytest.mark.parametrize("place", [1, 3, 4])
def test_parts_of_another_size_are_refused(place: int) -> None:
    parts = [LABELS, GENESIS, 7, ACCOUNT, SALT, b""]
    parts[place] = bytes(31)
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(*parts)  # type: ignore[arg-type]


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="no kind of commitment"):
        commitment("votes", GENESIS, 7, ACCOUNT, SALT, b"")


def test_tags_are_the_hashes_that_the_proto_states() -> None:
    tail = ACCOUNT + (9).to_bytes(8, "big") + b"weights"
    expected = hashlib.blake2b(b"pocl/tag/audit/1" + tail, digest_size=32).digest()
    assert audit_tag(ACCOUNT, 9, b"weights") == expected
    expected = hashlib.blake2b(b"pocl/tag/attest/1" + tail, digest_size=32).digest()
    assert attest_tag(ACCOUNT, 9, b"weights") == expected

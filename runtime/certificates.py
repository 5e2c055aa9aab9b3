"""Votes, certificates and justifications: what is signed, and when a quorum of signatures counts.

A vote's signature covers
    "pocl/vote/1" || genesis_hash || u64be(epoch) || u64be(view) || u8(kind) || block_hash
and a proposal's
    "pocl/proposal/1" || genesis_hash || u64be(epoch) || u64be(view) || block_hash || u64be(parent_view)
with 32 zero bytes for the block of a NULLIFY vote. The genesis hash keeps chains apart, the epoch validator
sets.

A certificate is valid for a validator set of n when, in this order,
1. its kind is NOTARIZE, NULLIFY or FINALIZE, and it names a block of 32 bytes, or none when it nullifies;
2. its bitmap has exactly ceil(n / 8) bytes and no bit at n or above: one set of signers, one encoding;
3. it has one signature a bit, in the order of the bits, and at least quorum(n) of them;
4. every signature is valid for its signer.
Which set belongs to the epoch it names is up to the caller.

A justification shows that a block is final: a valid FINALIZE certificate of the block's epoch, for the block
itself or for a descendant, with the headers that lead there, each the child of the one before, all of that
epoch (nothing extends a closing block before it is final, so a certificate never has to reach across epochs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pocl import keys
from pocl.hashing import HASH_SIZE, ZERO_HASH
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, Justification, VoteKind
from runtime.blocks import header_hash
from runtime.frame.errors import RuntimeFault
from runtime.quorum import quorum

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) -> valid? `pocl.keys.verify` everywhere but in simulations."""


class CertificateError(RuntimeFault):
    """A certificate or a justification proves nothing; the message names the rule it breaks."""


def vote_message(genesis_hash: bytes, epoch: int, view: int, kind: VoteKind, block_hash: bytes) -> bytes:
    """Return the bytes a vote's signature covers. `block_hash` is empty for NULLIFY.

    Raise ValueError when the block hash does not fit the kind, and OverflowError when a number is no u64.
    """
    _require_block_hash(kind, block_hash)
    return b"".join(
        (
            b"pocl/vote/1",
            genesis_hash,
            epoch.to_bytes(8, "big"),
            view.to_bytes(8, "big"),
            bytes((kind,)),
            block_hash or ZERO_HASH,
        )
    )


def proposal_message(
    genesis_hash: bytes, epoch: int, view: int, block_hash: bytes, parent_view: int
) -> bytes:
    """Return the bytes a proposal's signature covers."""
    if len(block_hash) != HASH_SIZE:
        raise ValueError(f"a block hash has {HASH_SIZE} bytes, not {len(block_hash)}")
    return b"".join(
        (
            b"pocl/proposal/1",
            genesis_hash,
            epoch.to_bytes(8, "big"),
            view.to_bytes(8, "big"),
            block_hash,
            parent_view.to_bytes(8, "big"),
        )
    )


def make_certificate(
    epoch: int, view: int, kind: VoteKind, block_hash: bytes, votes: Mapping[int, bytes], n: int
) -> Certificate:
    """Return the certificate of these votes: index in the epoch's set of `n` validators -> signature.

    Raise ValueError when they are no quorum, name a validator that is none, or the block does not fit the
    kind.
    """
    _require_block_hash(kind, block_hash)
    if len(votes) < quorum(n):
        raise ValueError(f"{len(votes)} votes of {n} validators make no certificate: it takes {quorum(n)}")
    signers = sorted(votes)
    if not 0 <= signers[0] <= signers[-1] < n:
        raise ValueError(f"a vote by validator {signers[-1]}: the set has {n}")
    bitmap = bytearray((n + 7) // 8)
    for index in signers:
        bitmap[index // 8] |= 1 << index % 8
    return Certificate(
        epoch=epoch,
        view=view,
        kind=kind,
        block_hash=block_hash,
        signers=bytes(bitmap),
        signatures=[votes[index] for index in signers],
    )


def signers(certificate: Certificate, n: int) -> list[int]:
    """Return the indices of a certificate's signers in its set of `n`, ascending.

    Raise CertificateError when it breaks one of the rules 1 to 3: everything but the signatures themselves.
    """
    try:
        _require_block_hash(certificate.kind, certificate.block_hash)
    except ValueError as error:
        raise CertificateError(f"certificate: {error}") from None
    bitmap, length = certificate.signers, (n + 7) // 8
    if len(bitmap) != length:
        raise CertificateError(f"certificate: {len(bitmap)} bytes of signers, {n} validators need {length}")
    bits = int.from_bytes(bitmap, "little")
    if bits >> n:
        raise CertificateError(f"certificate: a signer beyond the {n} validators")
    found = [index for index in range(n) if bits >> index & 1]
    if len(found) != len(certificate.signatures):
        raise CertificateError(f"certificate: {len(found)} signers, {len(certificate.signatures)} signatures")
    if len(found) < quorum(n):
        raise CertificateError(f"certificate: {len(found)} of {n} validators signed, a quorum is {quorum(n)}")
    return found


def verify_certificate(
    certificate: Certificate,
    validators: Sequence[bytes],
    genesis_hash: bytes,
    *,
    verify: Verify = keys.verify,
) -> None:
    """Check a certificate against the validator set of its epoch (rules in the module's docstring).

    Raise CertificateError when it is not valid.
    """
    indices = signers(certificate, len(validators))
    message = vote_message(
        genesis_hash, certificate.epoch, certificate.view, certificate.kind, certificate.block_hash
    )
    for index, signature in zip(indices, certificate.signatures, strict=True):
        if not verify(validators[index], message, signature):
            raise CertificateError(f"certificate: the signature of validator {index} is not valid")


def verify_justification(
    header: Header,
    justification: Justification,
    validators: Sequence[bytes],
    genesis_hash: bytes,
    *,
    verify: Verify = keys.verify,
) -> None:
    """Check that `justification` makes the block of `header` final; `validators` is the set of its epoch.

    Raise CertificateError when it does not.
    """
    certificate = justification.certificate
    if certificate.kind != FINALIZE:
        raise CertificateError(f"justification: a certificate of kind {certificate.kind} finalises nothing")
    last, hash = header, header_hash(header)
    for child in justification.descendants:
        if child.parent_hash != hash or child.number != last.number + 1:
            raise CertificateError(f"justification: header {child.number} is no child of block {last.number}")
        if child.epoch != header.epoch:
            raise CertificateError(f"justification: it reaches from epoch {header.epoch} into {child.epoch}")
        last, hash = child, header_hash(child)
    if certificate.block_hash != hash:
        raise CertificateError(f"justification: the certificate is for another block than {last.number}")
    if certificate.epoch != header.epoch:
        raise CertificateError(
            f"justification: a certificate of epoch {certificate.epoch} for a block of epoch {header.epoch}"
        )
    verify_certificate(certificate, validators, genesis_hash, verify=verify)


def _require_block_hash(kind: int, block_hash: bytes) -> None:
    if kind == NULLIFY:
        if block_hash:
            raise ValueError("a vote to nullify names no block")
    elif kind not in (NOTARIZE, FINALIZE):
        raise ValueError(f"{kind} is no kind of vote")
    elif len(block_hash) != HASH_SIZE:
        raise ValueError(f"a block hash has {HASH_SIZE} bytes, not {len(block_hash)}")

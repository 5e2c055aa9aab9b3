"""Certificates and justifications: what convinces, and what does not."""

import pytest

from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, Justification, VoteKind
from runtime.blocks import header_hash
from runtime.certificates import (
    CertificateError,
    make_certificate,
    proposal_message,
    signers,
    verify_certificate,
    verify_justification,
    vote_message,
)
from tests.runtime.signed_chain import VALIDATORS, SignedChain

GENESIS, BLOCK = b"g" * 32, b"b" * 32
SET = [pair.public for pair in VALIDATORS]


def certificate(
    kind: VoteKind = NOTARIZE, block: bytes = BLOCK, by: tuple[int, ...] = (0, 2, 3)
) -> Certificate:
    message = vote_message(GENESIS, 7, 9, kind, block)
    return make_certificate(7, 9, kind, block, {index: VALIDATORS[index].sign(message) for index in by}, 4)


def refused(changed: Certificate, match: str) -> None:
    with pytest.raises(CertificateError, match=match):
        verify_certificate(changed, SET, GENESIS)


def test_the_signed_bytes_are_those_of_the_wire_definition() -> None:
    numbers = b"\0\0\0\0\0\0\0\7" + b"\0\0\0\0\0\0\0\x09"
    assert vote_message(GENESIS, 7, 9, NOTARIZE, BLOCK) == b"pocl/vote/1" + GENESIS + numbers + b"\1" + BLOCK
    assert vote_message(GENESIS, 7, 9, NULLIFY, b"") == b"pocl/vote/1" + GENESIS + numbers + b"\2" + bytes(32)
    expected = b"pocl/proposal/1" + GENESIS + numbers + BLOCK + b"\0\0\0\0\0\0\0\4"
    assert proposal_message(GENESIS, 7, 9, BLOCK, 4) == expected


def test_a_quorum_of_each_kind_is_a_certificate() -> None:
    for kind, block in ((NOTARIZE, BLOCK), (NULLIFY, b""), (FINALIZE, BLOCK)):
        made = certificate(kind, block)
        assert made.signers == b"\x0d"
        assert signers(made, 4) == [0, 2, 3]
        verify_certificate(made, SET, GENESIS)


def test_what_was_signed_cannot_be_changed() -> None:
    for field, value in (("epoch", 8), ("view", 10), ("kind", FINALIZE), ("block_hash", b"c" * 32)):
        changed = certificate()
        setattr(changed, field, value)
        refused(changed, "signature of validator 0 is not valid")
    with pytest.raises(CertificateError, match="not valid"):
        verify_certificate(certificate(), SET, b"h" * 32)
    with pytest.raises(CertificateError, match="validator 2 is not valid"):
        verify_certificate(certificate(), [SET[0], SET[1], SET[3], SET[2]], GENESIS)


def test_there_is_one_encoding_of_a_set_of_signers() -> None:
    changed = certificate()
    changed.signers += b"\0"
    refused(changed, "2 bytes of signers, 4 validators need 1")
    changed.signers = b""
    refused(changed, "0 bytes of signers")
    changed.signers = b"\x1d"
    refused(changed, "beyond the 4 validators")
    changed.signers = b"\x0f"
    refused(changed, "4 signers, 3 signatures")
    changed.signers = b"\x0e"
    refused(changed, "signature of validator 1")


def test_less_than_a_quorum_is_none() -> None:
    changed = certificate()
    changed.signers = b"\x05"
    del changed.signatures[2]
    refused(changed, "2 of 4 validators signed, a quorum is 3")
    with pytest.raises(ValueError, match="it takes 3"):
        certificate(by=(0, 1))


def test_one_bad_signature_spoils_it() -> None:
    for bad in (bytes(64), b"", certificate().signatures[0]):
        changed = certificate()
        changed.signatures[1] = bad
        refused(changed, "signature of validator 2 is not valid")


def test_kind_and_block_must_fit() -> None:
    for kind, block in ((NOTARIZE, b""), (NULLIFY, BLOCK), (FINALIZE, b"short"), (0, BLOCK), (17, BLOCK)):
        changed = certificate()
        changed.kind, changed.block_hash = kind, block  # type: ignore[assignment]
        refused(changed, "certificate: ")
        with pytest.raises(ValueError, match=r"."):
            vote_message(GENESIS, 7, 9, kind, block)  # type: ignore[arg-type]


def test_votes_of_strangers_make_no_certificate() -> None:
    with pytest.raises(ValueError, match="the set has 4"):
        make_certificate(7, 9, NOTARIZE, BLOCK, dict.fromkeys((0, 1, 2, 4), bytes(64)), 4)


@pytest.fixture(scope="module")
def chain() -> SignedChain:
    chain = SignedChain()
    for number in range(1, 5):
        chain.block({b"key": b"%d" % number}, opens=VALIDATORS if number == 4 else ())
    chain.block({})
    return chain


def check(chain: SignedChain, header: Header, justification: Justification) -> None:
    verify_justification(header, justification, SET, chain.genesis_hash)


def test_a_block_is_final_by_its_own_certificate_or_by_a_descendants(chain: SignedChain) -> None:
    check(chain, chain.headers[4], chain.justification(4))
    for number in (1, 2, 3):
        check(chain, chain.headers[number], chain.justification(number))
        check(chain, chain.headers[number], chain.justification(number, certified=4))


def test_a_justification_that_leads_elsewhere_is_refused(chain: SignedChain) -> None:
    whole = chain.justification(1, certified=4)
    for gap in range(3):
        broken = Justification()
        broken.CopyFrom(whole)
        del broken.descendants[gap]
        with pytest.raises(CertificateError, match=r"no child|another block"):
            check(chain, chain.headers[1], broken)
    with pytest.raises(CertificateError, match="no child"):
        check(chain, chain.headers[2], whole)
    with pytest.raises(CertificateError, match="another block"):
        check(chain, chain.headers[1], chain.justification(2))
    changed = Header()
    changed.CopyFrom(chain.headers[4])
    changed.state_root = bytes(32)
    with pytest.raises(CertificateError, match="another block"):
        check(chain, changed, chain.justification(4))


def test_only_a_finalize_certificate_of_the_same_epoch_finalises(chain: SignedChain) -> None:
    header = chain.headers[2]
    with pytest.raises(CertificateError, match="finalises nothing"):
        check(chain, header, Justification(certificate=chain.certificate(header, kind=NOTARIZE)))
    with pytest.raises(CertificateError, match="epoch 2 for a block of epoch 1"):
        check(chain, header, Justification(certificate=chain.certificate(header, epoch=2)))
    with pytest.raises(CertificateError, match="reaches from epoch 1 into 2"):
        check(chain, chain.headers[4], chain.justification(4, certified=5))
    with pytest.raises(CertificateError, match="finalises nothing"):
        check(chain, header, Justification())


def test_the_parent_must_be_the_one_before(chain: SignedChain) -> None:
    # The right number, and real signatures: of another branch.
    child = Header(parent_hash=b"p" * 32, number=3, epoch=1, view=9)
    justification = Justification(descendants=[child], certificate=chain.certificate(child))
    with pytest.raises(CertificateError, match="no child"):
        check(chain, chain.headers[2], justification)


def test_the_number_must_follow_too(chain: SignedChain) -> None:
    # A hash that fits is not enough: here the signers have signed a child that skips a number.
    child = Header(parent_hash=header_hash(chain.headers[2]), number=4, epoch=1, view=9)
    justification = Justification(descendants=[child], certificate=chain.certificate(child))
    with pytest.raises(CertificateError, match="no child"):
        check(chain, chain.headers[2], justification)

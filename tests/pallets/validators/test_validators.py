"""The validator set, and how an epoch closes."""

import pytest

from pallets.timestamp import Timestamp
from pallets.validators import Validators
from pocl.hashing import hash256
from runtime.frame import GenesisError
from tests.pallets.harness import ALICE, BOB, CHARLIE, EVE, GENESIS_MS, LEDGER, VALIDATORS, TestChain


def test_the_set_is_sorted_and_counts_its_faults() -> None:
    chain = TestChain(pallets=LEDGER)
    pallet = chain.pallet(Validators)
    assert pallet.members() == sorted(keypair.public for keypair in VALIDATORS)
    assert (pallet.n, pallet.f, pallet.quorum) == (4, 1, 3)
    assert pallet.is_member(ALICE.public)
    assert not pallet.is_member(EVE.public)
    assert pallet.seed == hash256("pocl/genesis-seed/1", *pallet.members())
    single = TestChain(pallets=LEDGER, validators=[EVE]).pallet(Validators)
    assert (single.n, single.f, single.quorum) == (1, 0, 1)


def test_closing_an_epoch_announces_the_next_one_once() -> None:
    chain = TestChain(pallets=LEDGER)
    chain.block()
    pallet = chain.pallet(Validators)
    assert pallet.announced() is None
    pallet.close_epoch([CHARLIE.public, BOB.public], b"s" * 32)
    announced = pallet.announced()
    assert announced is not None
    assert (announced.epoch, announced.seed) == (2, b"s" * 32)
    assert list(announced.leaders) == [CHARLIE.public, BOB.public]
    assert list(announced.validators) == pallet.members()
    with pytest.raises(RuntimeError, match="closed already"):
        pallet.close_epoch([ALICE.public], b"t" * 32)


def test_without_leaders_the_old_ones_stay_in_office() -> None:
    chain = TestChain(pallets=LEDGER)
    chain.block()
    pallet = chain.pallet(Validators)
    before = list(pallet.Leaders.get().leaders)
    pallet.close_epoch([], b"s" * 32)
    assert list(pallet.Leaders.get().leaders) == before
    with pytest.raises(ValueError, match="32 bytes"):
        chain.pallet(Validators).close_epoch([], b"short")


@pytest.mark.parametrize(
    ("validators", "match"), [([], "empty"), ([b"a" * 32] * 2, "twice"), ([b"short"], "32 bytes")]
)
def test_what_genesis_refuses(validators: list[bytes], match: str) -> None:
    with pytest.raises(GenesisError, match=match):
        TestChain(pallets=LEDGER, config={"validators": {"validators": validators}})


def test_the_time_is_the_headers() -> None:
    chain = TestChain(pallets=LEDGER)
    assert chain.pallet(Timestamp).now() == GENESIS_MS
    chain.block(after_ms=123)
    assert chain.pallet(Timestamp).now() == GENESIS_MS + 123

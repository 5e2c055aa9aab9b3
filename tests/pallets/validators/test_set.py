"""Joining, leaving, silence and offences, on a chain whose epochs are closed by hand; try_state after every block."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pallets.coin import Coin
from pallets.system import System
from pallets.validators import Validators
from pocl.extrinsics import u128
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, ConsensusMessage
from pocl.v1.system_pb2 import SystemCall
from pocl.v1.validators_pb2 import Validator, ValidatorsCall, ValidatorsEvent
from runtime.frame import GenesisError
from runtime.quorum import quorum
from tests.evidence import proposal, report, vote
from tests.pallets.harness import (
    ALICE,
    BOB,
    CHARLIE,
    DAVE,
    EVE,
    FERDIE,
    GRACE,
    RICH,
    VALIDATORS,
    TestChain,
    set_rules,
)
from tests.pallets.validators.epochs import PALLETS, close

BOND, SLASH = 1000, 400
RULES = set_rules(bond=BOND, slash=SLASH, unbonding_epochs=2, offline_rounds=2, max_validators=6)
A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def chain() -> TestChain:
    return TestChain(pallets=PALLETS, rules=RULES)


def join(chain: TestChain, who: Keypair, bond: int | None = None) -> bytes:
    args = ValidatorsCall.Join(bond=b"" if bond is None else u128(bond))
    return chain.sign(who, "validators", "join", args)


def leave(chain: TestChain, who: Keypair) -> bytes:
    return chain.sign(who, "validators", "leave", ValidatorsCall.Leave())


def rejoin(chain: TestChain, who: Keypair) -> bytes:
    return chain.sign(who, "validators", "rejoin", ValidatorsCall.Rejoin())


def reported(
    chain: TestChain, culprit: Keypair, first: ConsensusMessage, second: ConsensusMessage, by: Keypair = GRACE
) -> bytes:
    args = ValidatorsCall.ReportEquivocation(**report(culprit, first, second))
    return chain.sign(by, "validators", "report_equivocation", args)


def two_votes(
    chain: TestChain, culprit: Keypair, epoch: int, view: int = 1
) -> tuple[ConsensusMessage, ConsensusMessage]:
    index = chain.pallet(Validators).set_of(epoch).index(culprit.public)
    genesis = chain.genesis_hash
    return (
        vote(culprit, index, genesis, epoch, view, NOTARIZE, A),
        vote(culprit, index, genesis, epoch, view, NOTARIZE, B),
    )


def record(chain: TestChain, who: Keypair) -> Validator | None:
    found: Validator | None = chain.pallet(Validators).Bonded.get(who.public)
    return found


def status(chain: TestChain, who: Keypair) -> str:
    found = record(chain, who)
    return "" if found is None else Validator.Status.Name(found.status)


def balance(chain: TestChain, who: Keypair) -> tuple[int, int]:
    account = chain.pallet(System).account(who.public)
    return int.from_bytes(account.free, "big"), int.from_bytes(account.reserved, "big")


def failure(chain: TestChain, data: bytes) -> str:
    chain.block(data)
    (label,) = chain.failures()
    return label


def test_genesis_takes_the_bonds(chain: TestChain) -> None:
    assert balance(chain, ALICE) == (RICH - BOND, BOND)
    assert status(chain, ALICE) == "ACTIVE"
    assert balance(chain, EVE) == (RICH, 0)
    with pytest.raises(GenesisError, match=r"its bond: .*999 is free"):
        TestChain(pallets=PALLETS, rules=RULES, balances=dict.fromkeys((*VALIDATORS, GRACE), BOND - 1))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"unbonding_epochs": 0}, "unbonding_epochs is 0"),
        ({"offline_rounds": 0}, "offline_rounds is 0"),
        ({"max_validators": 3}, "max_validators is 3, but 4"),
    ],
)
def test_rules_that_genesis_refuses(changes: dict[str, int], match: str) -> None:
    with pytest.raises(GenesisError, match=match):
        TestChain(pallets=PALLETS, rules=set_rules(**changes))


def test_joining_and_leaving(chain: TestChain) -> None:
    everybody = (*VALIDATORS, EVE)
    chain.block(join(chain, EVE, bond=BOND + 5))
    assert (status(chain, EVE), balance(chain, EVE)[1]) == ("WAITING", BOND + 5)
    assert not chain.pallet(Validators).is_member(EVE.public)
    close(chain, VALIDATORS)
    change = chain.head.header.next_epoch
    assert change.epoch == 2
    assert list(change.validators) == sorted(key.public for key in everybody)
    assert [event.who for event in chain.events(ValidatorsEvent.Entered)] == [EVE.public]
    # It leaves in epoch 2, and is in the set until that ends.
    chain.block(leave(chain, EVE))
    assert status(chain, EVE) == "LEAVING"
    assert chain.pallet(Validators).is_member(EVE.public)
    close(chain, everybody)
    assert (status(chain, EVE), balance(chain, EVE)[1]) == ("UNBONDING", BOND + 5)
    assert [(event.who, event.reason) for event in chain.events(ValidatorsEvent.Removed)] == [
        (EVE.public, "left")
    ]
    assert EVE.public not in chain.head.header.next_epoch.validators
    # Held through the epochs 3 and 4, in which evidence of epoch 2 is taken; free in 5.
    close(chain, VALIDATORS)
    assert status(chain, EVE) == "UNBONDING"
    close(chain, VALIDATORS)
    assert (status(chain, EVE), balance(chain, EVE)[1]) == ("", 0)
    assert [event.amount for event in chain.events(ValidatorsEvent.Unbonded)] == [u128(BOND + 5)]


def dave_leaves(chain: TestChain) -> None:
    """Let Eve enter in epoch 2, and him leave when that ends: in epoch 3 there are four again."""
    chain.block(leave(chain, DAVE), join(chain, EVE))
    close(chain, VALIDATORS)
    assert status(chain, DAVE) == "LEAVING"
    close(chain, (*VALIDATORS, EVE))
    assert status(chain, DAVE) == "UNBONDING"


def test_four_let_nobody_leave_before_somebody_has_entered(chain: TestChain) -> None:
    chain.block(leave(chain, DAVE))
    for _ in range(3):
        close(chain, VALIDATORS)
        assert status(chain, DAVE) == "LEAVING"
        assert chain.pallet(Validators).is_member(DAVE.public)
    chain.block(join(chain, EVE))
    close(chain, VALIDATORS)
    assert (status(chain, DAVE), status(chain, EVE)) == ("LEAVING", "ACTIVE")
    close(chain, (*VALIDATORS, EVE))
    assert status(chain, DAVE) == "UNBONDING"
    assert chain.pallet(Validators).n == 4


def test_a_leaver_whose_node_is_stopped_unbonds_after_the_rounds_of_the_offline(chain: TestChain) -> None:
    chain.block(leave(chain, DAVE))
    for expected in ("LEAVING", "UNBONDING"):
        silent_round(chain, ALICE, BOB, CHARLIE)
        assert status(chain, DAVE) == expected
    assert [event.reason for event in chain.events(ValidatorsEvent.Removed)] == ["left"]


def test_the_guilty_are_put_out_and_cannot_leave_instead(chain: TestChain) -> None:
    chain.block(leave(chain, DAVE))
    chain.block(reported(chain, DAVE, *two_votes(chain, DAVE, 1)))
    assert status(chain, DAVE) == "EXPELLED"
    assert failure(chain, leave(chain, DAVE)) == "validators.AlreadyLeaving"
    close(chain, VALIDATORS)
    assert [event.reason for event in chain.events(ValidatorsEvent.Removed)] == ["offence"]
    assert status(chain, DAVE) == "OUT"
    chain.block(leave(chain, DAVE))
    assert status(chain, DAVE) == "UNBONDING"


def test_who_changes_its_mind(chain: TestChain) -> None:
    chain.block(join(chain, EVE))
    chain.block(leave(chain, EVE))  # never was in the set: nothing can be held against it
    assert (status(chain, EVE), balance(chain, EVE)[1]) == ("", 0)
    dave_leaves(chain)
    chain.block(join(chain, DAVE, bond=BOND + 7))
    assert (status(chain, DAVE), balance(chain, DAVE)[1]) == ("WAITING", BOND + 7)
    chain.block(leave(chain, DAVE))  # was in the set one epoch ago
    assert status(chain, DAVE) == "UNBONDING"


def test_what_is_refused(chain: TestChain) -> None:
    assert failure(chain, join(chain, ALICE)) == "validators.AlreadyBonded"
    assert failure(chain, join(chain, EVE, bond=BOND - 1)) == "validators.BondTooLow"
    assert failure(chain, join(chain, EVE, bond=RICH)) == "coin.InsufficientBalance"
    malformed = ValidatorsCall.Join(bond=b"1")
    assert failure(chain, chain.sign(EVE, "validators", "join", malformed)) == "validators.MalformedBond"
    assert failure(chain, leave(chain, EVE)) == "validators.NotBonded"
    assert failure(chain, rejoin(chain, EVE)) == "validators.NotBonded"
    assert failure(chain, rejoin(chain, ALICE)) == "validators.NotOut"
    chain.block(leave(chain, ALICE))
    assert failure(chain, leave(chain, ALICE)) == "validators.AlreadyLeaving"
    assert balance(chain, EVE)[1] == 0


def test_the_number_of_bonds_is_bounded(chain: TestChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pallets.validators.pallet.MAX_BONDED", 5)
    chain.block(join(chain, EVE))
    assert failure(chain, join(chain, FERDIE)) == "validators.TooManyBonded"


def test_silence_puts_out_and_rejoining_brings_back(chain: TestChain) -> None:
    three = (ALICE, BOB, CHARLIE)
    for _ in range(2):
        data = b"".join(key.public for key in three)
        chain.block(chain.sign(GRACE, "round", "close", _remark(data)), author=ALICE)
    assert status(chain, DAVE) == "OUT"
    assert [event.reason for event in chain.events(ValidatorsEvent.Removed)] == ["offline"]
    assert balance(chain, DAVE)[1] == BOND
    chain.block(rejoin(chain, DAVE))
    close(chain, three)
    assert status(chain, DAVE) == "ACTIVE"
    # A validator that only writes blocks is not silent.
    for _ in range(4):
        data = b"".join(key.public for key in three)
        chain.block(author=DAVE)
        chain.block(chain.sign(GRACE, "round", "close", _remark(data)))
    assert status(chain, DAVE) == "ACTIVE"


def silent_round(chain: TestChain, *there: Keypair, author: Keypair = ALICE) -> None:
    """End the round; only these delivered something, and the author wrote its one block."""
    data = b"".join(key.public for key in there)
    chain.block(chain.sign(GRACE, "round", "close", _remark(data)), author=author)


def test_only_rounds_missed_in_a_row_count(chain: TestChain) -> None:
    three = (ALICE, BOB, CHARLIE)
    for _ in range(3):
        silent_round(chain, *three)
        silent_round(chain, *VALIDATORS)
    assert status(chain, DAVE) == "ACTIVE"
    # What it wrote in one round does not count in the next ones.
    silent_round(chain, *three, author=DAVE)
    silent_round(chain, *three)
    assert status(chain, DAVE) == "ACTIVE"
    silent_round(chain, *three)
    assert status(chain, DAVE) == "OUT"


def _remark(data: bytes) -> SystemCall:
    return SystemCall.Remark(remark=data)


def test_an_offence_costs_bond_and_seat_once_an_epoch(chain: TestChain) -> None:
    issuance = chain.pallet(Coin).TotalIssuance.get()
    first, second = two_votes(chain, DAVE, 1)
    chain.block(reported(chain, DAVE, first, second))
    (slashed,) = chain.events(ValidatorsEvent.Slashed)
    assert (slashed.who, slashed.epoch, slashed.reporter) == (DAVE.public, 1, GRACE.public)
    assert (slashed.offence, int.from_bytes(slashed.amount, "big")) == ("two notarize votes in a view", SLASH)
    assert (status(chain, DAVE), balance(chain, DAVE)[1]) == ("EXPELLED", BOND - SLASH)
    assert chain.pallet(Coin).TotalIssuance.get() == issuance - SLASH
    # The same again, and another one of that epoch.
    assert failure(chain, reported(chain, DAVE, second, first, by=EVE)) == "validators.AlreadyReported"
    other = two_votes(chain, DAVE, 1, view=9)
    assert failure(chain, reported(chain, DAVE, *other)) == "validators.AlreadyReported"
    close(chain, VALIDATORS)
    assert status(chain, DAVE) == "OUT"
    assert [event.reason for event in chain.events(ValidatorsEvent.Removed)] == ["offence"]
    # Back only with a whole bond.
    chain.block(rejoin(chain, DAVE))
    assert (status(chain, DAVE), balance(chain, DAVE)[1]) == ("WAITING", BOND)
    # And for the next offence it pays again.
    close(chain, VALIDATORS)
    assert status(chain, DAVE) == "ACTIVE"
    chain.block(reported(chain, DAVE, *two_votes(chain, DAVE, chain.pallet(Validators).Epoch.get())))
    assert (status(chain, DAVE), balance(chain, DAVE)[1]) == ("EXPELLED", BOND - SLASH)


def test_whoever_is_slashed_while_it_waits_does_not_enter(chain: TestChain) -> None:
    evidence = two_votes(chain, DAVE, 1)
    dave_leaves(chain)
    chain.block(join(chain, DAVE))
    assert status(chain, DAVE) == "WAITING"
    chain.block(reported(chain, DAVE, *evidence))
    assert (status(chain, DAVE), balance(chain, DAVE)[1]) == ("OUT", BOND - SLASH)
    close(chain, VALIDATORS)
    assert not chain.pallet(Validators).is_member(DAVE.public)


def test_every_kind_of_evidence_is_taken(chain: TestChain) -> None:
    genesis, members = chain.genesis_hash, chain.pallet(Validators).members()

    def index(who: Keypair) -> int:
        return members.index(who.public)

    pairs = {
        ALICE: (proposal(ALICE, genesis, 1, 4), proposal(ALICE, genesis, 1, 4, number=9)),
        BOB: tuple(vote(BOB, index(BOB), genesis, 1, 4, FINALIZE, block) for block in (A, B)),
        CHARLIE: tuple(vote(CHARLIE, index(CHARLIE), genesis, 1, 4, kind) for kind in (NULLIFY, FINALIZE)),
    }
    for culprit, (first, second) in pairs.items():
        chain.block(reported(chain, culprit, first, second))
        assert [event.who for event in chain.events(ValidatorsEvent.Slashed)] == [culprit.public]
    ballots = [chain.sign(DAVE, "vote", "cast", _remark(data), round=1) for data in (b"one", b"two")]
    twin = ValidatorsCall.ReportTwin(
        first=ballots[0], second=ballots[1], spec_version=1, transaction_version=1
    )
    chain.block(chain.sign(EVE, "validators", "report_twin", twin))
    assert chain.events(ValidatorsEvent.Slashed)[0].offence == "two ballots in a round"
    false = reported(chain, ALICE, pairs[ALICE][0], pairs[ALICE][0])
    assert failure(chain, false) == "validators.FalseEvidence"


def test_evidence_is_taken_as_long_as_the_bond_is_held(chain: TestChain) -> None:
    dave_leaves(chain)
    evidence = two_votes(chain, DAVE, 2)
    four = (ALICE, BOB, CHARLIE, EVE)
    close(chain, four)  # epoch 4: the last one for evidence of epoch 2
    assert status(chain, DAVE) == "UNBONDING"
    late = reported(chain, DAVE, *evidence, by=EVE)
    assert chain.runtime.dry_run(chain.state, chain.head.header, chain.genesis_hash, late).ok
    close(chain, four)
    assert status(chain, DAVE) == ""
    late = reported(chain, DAVE, *evidence)
    assert failure(chain, late) == "validators.FalseEvidence"


def test_a_slash_beyond_the_bond_comes_out_of_the_free_balance() -> None:
    rules = set_rules(bond=BOND, slash=BOND + 50, unbonding_epochs=2)
    poor = dict.fromkeys((*VALIDATORS, GRACE), RICH) | {DAVE: BOND + 30}
    for balances, lost in ((poor, BOND + 30), (dict.fromkeys(poor, RICH), BOND + 50)):
        chain = TestChain(pallets=PALLETS, rules=rules, balances=balances)
        before = sum(balance(chain, DAVE))
        chain.block(reported(chain, DAVE, *two_votes(chain, DAVE, 1)))
        assert before - sum(balance(chain, DAVE)) == lost
        assert balance(chain, DAVE)[1] == 0


def test_leaders_are_of_the_new_set(chain: TestChain) -> None:
    chain.block(leave(chain, DAVE), join(chain, EVE))
    close(chain, (DAVE, CHARLIE, BOB, ALICE))
    close(chain, (DAVE, CHARLIE, BOB, ALICE))
    change = chain.head.header.next_epoch
    assert list(change.leaders) == [CHARLIE.public, BOB.public, ALICE.public]


PEOPLE = (*VALIDATORS, EVE, FERDIE)
SOME = st.sampled_from(PEOPLE)


class AnyOrder(RuleBasedStateMachine):
    """Whatever is called in whatever order: try_state holds, and a live quorum is never given away."""

    @initialize()
    def begin(self) -> None:
        self.chain = TestChain(pallets=PALLETS, rules=RULES, check=False)
        self.issuance = self.chain.pallet(Coin).TotalIssuance.get()
        self.view = 0

    @rule(who=SOME, extra=st.integers(-1, 2))
    def join(self, who: Keypair, extra: int) -> None:
        self.chain.block(join(self.chain, who, BOND + extra))

    @rule(who=SOME)
    def leave(self, who: Keypair) -> None:
        self.chain.block(leave(self.chain, who))

    @rule(who=SOME)
    def rejoin(self, who: Keypair) -> None:
        self.chain.block(rejoin(self.chain, who))

    @rule(who=SOME, back=st.integers(0, 3))
    def equivocate(self, who: Keypair, back: int) -> None:
        pallet = self.chain.pallet(Validators)
        epoch = max(pallet.Epoch.get() - back, 0)
        self.view += 1
        if who.public not in pallet.set_of(epoch):
            return
        new = not pallet.reported(epoch, who.public)
        self.chain.block(reported(self.chain, who, *two_votes(self.chain, who, epoch, self.view)))
        assert len(self.chain.events(ValidatorsEvent.Slashed)) == new
        self.issuance -= SLASH * new

    @rule(silent=st.sets(SOME, max_size=2))
    def end_the_round(self, silent: set[Keypair]) -> None:
        pallet = self.chain.pallet(Validators)
        before, wrote = set(pallet.members()), pallet._authors()
        there = {key.public for key in PEOPLE if key not in silent or key.public in wrote} & before
        author = next((key for key in PEOPLE if key.public in there), None)
        if author is None or len(there) < quorum(len(before)):
            return  # such a chain stands still
        data = b"".join(sorted(there))
        self.chain.block(self.chain.sign(GRACE, "round", "close", _remark(data)), author=author)
        after = set(self.chain.pallet(Validators).members())
        newcomers = len(after - before) if len(after) < 4 else 0
        assert len(after & there) + newcomers >= quorum(len(after))

    @invariant()
    def what_was_slashed_is_gone(self) -> None:
        if hasattr(self, "chain"):
            assert self.chain.pallet(Coin).TotalIssuance.get() == self.issuance


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)

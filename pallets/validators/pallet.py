"""The validator set: bonds, joining and leaving, offences, epochs and leaders.

Rules of the set:
- the set is sorted by account; a validator's index in certificates and bitmaps is its place in it;
- of n validators at most f = floor((n-1)/3) are assumed faulty, and a quorum is floor(2n/3)+1;
- it changes only where an epoch closes, which is where a round ends, by pallets/validators/rotation.py: whoever
  leaves finishes the running round;
- `Epoch` is the epoch of the next block. The block in whose execution `close_epoch` moves it on is the
  closing block of the epoch before: its header announces set, leaders and seed of the new one. Genesis closes
  epoch 0;
- leaders are the preferred ones that are in the new set; without any, all its members;
- at genesis the leaders are the validators in their order, and the seed is
  BLAKE2b-256("pocl/genesis-seed/1" || all validators): nobody has revealed anything yet.

Rules of the bonds:
- whoever asks in reserves a bond, at least the chain's least one; at genesis the validators' bonds are taken
  out of their balances. `Bonded` lists everybody with a bond, and what it waits for;
- a bond is held for `unbonding_epochs` epochs after the last one in which its owner was in the set, and becomes
  free where the next epoch begins. As long are the sets of past epochs kept (`Sets`), and evidence against
  their members taken;
- the bond of a validator that is put out stays reserved until it asks to leave.

Rules of offences (runtime/offences.py says how they are proven):
- anybody may report one. All that a validator did wrong in one epoch is one offence: it is slashed once for it,
  out of the bond, then out of the free balance; that is burnt. Reporting pays nothing;
- whoever is slashed is out of the set from the next boundary on, also when it had asked to leave, and cannot leave
  before; it stays out until it asks back in with a whole bond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pallets.coin import Coin
from pallets.coin.errors import InsufficientBalance
from pallets.validators import weights
from pallets.validators.config import read_genesis
from pallets.validators.errors import (
    ERRORS,
    AlreadyBonded,
    AlreadyLeaving,
    AlreadyReported,
    BondTooLow,
    FalseEvidence,
    MalformedBond,
    NotBonded,
    NotOut,
    TooManyBonded,
)
from pallets.validators.rotation import IN_SET, LEFT, Rules, rotate
from pallets.validators.try_state import check_set
from pocl.extrinsics import U128_SIZE, u128
from pocl.hashing import HASH_SIZE, hash256
from pocl.v1.block_pb2 import EpochChange
from pocl.v1.validators_pb2 import (
    LeaderSchedule,
    Validator,
    ValidatorsCall,
    ValidatorsConfig,
    ValidatorSet,
    ValidatorsEvent,
)
from runtime.frame import (
    U64,
    AccountId,
    Bool,
    GenesisError,
    Message,
    Origin,
    Pallet,
    StorageDoubleMap,
    StorageMap,
    StorageValue,
    call,
)
from runtime.offences import EvidenceError, Offence, prove_equivocation, prove_twin
from runtime.quorum import faulty, quorum

MAX_BONDED = 1024
"""Everybody with a bond is looked at where an epoch closes."""


class Validators(Pallet):
    """Validator set, bonds, offences, leaders and epoch number."""

    name = "validators"
    errors = ERRORS
    events: ClassVar = {
        ValidatorsEvent.Joined: "An account reserved a bond and waits to enter the set.",
        ValidatorsEvent.Left: "An account asked out of the set, or withdrew what it had asked.",
        ValidatorsEvent.Rejoined: "A validator that was put out waits to enter the set again.",
        ValidatorsEvent.Entered: "A validator is in the set from this epoch on.",
        ValidatorsEvent.Removed: "A validator is out of the set from this epoch on; the reason says why.",
        ValidatorsEvent.Unbonded: "A bond became free balance again.",
        ValidatorsEvent.Slashed: "A validator lost this amount for an offence in that epoch.",
    }
    constants: ClassVar = {
        "MaxBonded": (U64, MAX_BONDED, "How many accounts may have a bond at a time."),
    }

    Config = StorageValue(Message(ValidatorsConfig), doc="The rules of the set.")
    Set = StorageValue(Message(ValidatorSet), doc="The validators of the epoch, sorted by account.")
    Leaders = StorageValue(
        Message(LeaderSchedule), doc="The preferred leaders of the epoch in order, and its seed."
    )
    Epoch = StorageValue(U64, default=0, doc="The epoch of the next block.")
    Bonded = StorageMap(AccountId, Message(Validator), doc="Everybody with a bond, in the set or not.")
    Sets = StorageMap(
        U64, Message(ValidatorSet), doc="The sets of this epoch and of those of which evidence is taken."
    )
    Authors = StorageValue(Message(ValidatorSet), doc="Who wrote blocks of this epoch, sorted.")
    Reported = StorageDoubleMap(
        U64, AccountId, Bool, default=False, doc="Validators slashed for an offence in an epoch."
    )

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take `validators`, a list of different accounts in any order, and `config`, a ValidatorsConfig."""
        validators, rules = read_genesis(config)
        self.Config.put(rules)
        for account in validators:
            try:
                self.pallet(Coin).reserve(account, _amount(rules.bond))
            except InsufficientBalance as error:
                raise GenesisError(f"validators.validators: 0x{account.hex()}: its bond: {error}") from None
            self.Bonded.put(account, Validator(bond=rules.bond, status=Validator.ACTIVE))
        self._open_epoch(validators, validators, hash256("pocl/genesis-seed/1", *validators))

    def on_initialize(self) -> int:
        """Note who wrote the block."""
        authors = self._authors()
        if self.env.header.author not in authors:
            self.Authors.put(ValidatorSet(validators=sorted([*authors, self.env.header.author])))
        return 0

    @call(ValidatorsCall.Join, weight=weights.JOIN)
    def join(self, origin: Origin, args: ValidatorsCall.Join) -> None:
        """Reserve a bond and ask into the set, which takes in who waits at the end of a round, oldest first.

        Have the node running, with this key, before: a silent validator is put out again.
        """
        least = _amount(self.Config.get().bond)
        if len(args.bond) not in (0, U128_SIZE):
            raise MalformedBond(f"a bond has {U128_SIZE} bytes, not {len(args.bond)}")
        amount = _amount(args.bond) if args.bond else least
        if amount < least:
            raise BondTooLow(f"{amount} is offered, the least bond is {least}")
        record: Validator | None = self.Bonded.get(origin.signer)
        if record is not None and record.status != Validator.UNBONDING:
            raise AlreadyBonded(f"its status is {Validator.Status.Name(record.status)}")
        if record is None:
            if sum(1 for _ in self.Bonded.items()) >= MAX_BONDED:
                raise TooManyBonded(f"{MAX_BONDED} accounts have bonds")
            record = Validator(bond=u128(0))
        self._wait(origin.signer, record, amount)
        self.deposit(ValidatorsEvent.Joined(who=origin.signer, bond=record.bond))

    @call(ValidatorsCall.Rejoin, weight=weights.REJOIN)
    def rejoin(self, origin: Origin, args: ValidatorsCall.Rejoin) -> None:
        """Ask back into the set after being put out of it, with the bond filled up to the least one."""
        record = self._record(origin.signer)
        if record.status != Validator.OUT:
            raise NotOut(f"its status is {Validator.Status.Name(record.status)}")
        self._wait(origin.signer, record, _amount(self.Config.get().bond))
        self.deposit(ValidatorsEvent.Rejoined(who=origin.signer, bond=record.bond))

    @call(ValidatorsCall.Leave, weight=weights.LEAVE)
    def leave(self, origin: Origin, args: ValidatorsCall.Leave) -> None:
        """Ask out of the set, or withdraw the bond of one that is not in it.

        The running round is finished first; a set that would bear fewer faulty members (4, 7, 10, ...) lets
        nobody leave before somebody else has entered. The bond is free after unbonding.
        """
        record = self._record(origin.signer)
        if record.status in (Validator.LEAVING, Validator.EXPELLED, Validator.UNBONDING):
            raise AlreadyLeaving(f"its status is {Validator.Status.Name(record.status)}")
        status = Validator.LEAVING if record.status in IN_SET else Validator.UNBONDING
        self._put(origin.signer, record, status)
        self.deposit(ValidatorsEvent.Left(who=origin.signer))
        self._release(origin.signer, record)

    @call(ValidatorsCall.ReportEquivocation, weight=weights.REPORT_EQUIVOCATION)
    def report_equivocation(self, origin: Origin, args: ValidatorsCall.ReportEquivocation) -> None:
        """Show that a validator equivocated in agreement: two contradicting signed messages. Anybody may."""
        genesis = self.env.genesis_hash
        evidence = (args.offender, args.first, args.second)
        self._punish(origin.signer, lambda: prove_equivocation(*evidence, self.set_of, genesis))

    @call(ValidatorsCall.ReportTwin, weight=weights.REPORT_TWIN)
    def report_twin(self, origin: Origin, args: ValidatorsCall.ReportTwin) -> None:
        """Show that a miner proposed two models, or cast two ballots, in one round. Anybody may."""
        genesis, versions = self.env.genesis_hash, (args.spec_version, args.transaction_version)
        evidence = (args.first, args.second)
        self._punish(origin.signer, lambda: prove_twin(*evidence, self.set_of, genesis, *versions))

    # For the other pallets and the executive.

    def members(self) -> list[bytes]:
        """Return the validators, sorted."""
        return list(self.Set.get().validators)

    @property
    def n(self) -> int:
        """The number of validators."""
        return len(self.Set.get().validators)

    @property
    def f(self) -> int:
        """How many of them may be faulty."""
        return faulty(self.n)

    @property
    def quorum(self) -> int:
        """How many equal votes decide."""
        return quorum(self.n)

    @property
    def seed(self) -> bytes:
        """The epoch's 32-byte seed."""
        return self.Leaders.get().seed

    def is_member(self, account: bytes) -> bool:
        """Return whether the account is a validator."""
        return account in self.Set.get().validators

    def set_of(self, epoch: int) -> list[bytes]:
        """Return the set of an epoch of which evidence is taken; none for any other epoch."""
        found: ValidatorSet | None = self.Sets.get(epoch)
        return [] if found is None else list(found.validators)

    def reported(self, epoch: int, account: bytes) -> bool:
        """Return whether the validator was slashed for an offence in that epoch."""
        return self.Reported.get(epoch, account)

    def bonds(self) -> dict[bytes, int]:
        """Return what is reserved as a bond, by account."""
        return {who: _amount(record.bond) for who, record in self.Bonded.items()}

    def close_epoch(
        self, leaders: Sequence[bytes], seed: bytes, delivered: Iterable[bytes] = (), minimum: int = 1
    ) -> None:
        """End the epoch with this block; the next one has these preferred leaders, in order, and this seed.

        `delivered` are the miners that did something in the round; `minimum` is how many the next one needs.
        At most once a block.
        """
        if self.announced() is not None:
            raise RuntimeError(f"epoch {self.env.header.epoch} is closed already in this block")
        if len(seed) != HASH_SIZE:
            raise ValueError(f"a seed has {HASH_SIZE} bytes, not {len(seed)}")
        live = {*delivered, *self._authors()}
        self.Authors.kill()
        members = self._rotate(live, minimum)
        self._open_epoch(members, list(leaders) or list(self.Leaders.get().leaders), seed)
        self._forget()

    def announced(self) -> EpochChange | None:
        """Return what this block announces when it closes its epoch, else None."""
        if self.Epoch.get() == self.env.header.epoch:
            return None
        return self.epoch_change()

    def epoch_change(self) -> EpochChange:
        """Return number, set, leaders and seed of the epoch to which the next block belongs."""
        schedule = self.Leaders.get()
        return EpochChange(
            epoch=self.Epoch.get(),
            validators=self.Set.get().validators,
            leaders=schedule.leaders,
            seed=schedule.seed,
        )

    def try_state(self) -> None:
        """Check set, bonds, leaders, and that all of whom evidence is taken have a record."""
        check_set(
            members=self.members(),
            schedule=self.Leaders.get(),
            records=dict(self.Bonded.items()),
            config=self.Config.get(),
            epoch=self.Epoch.get(),
            sets={epoch: list(found.validators) for epoch, found in self.Sets.items()},
        )

    # How the set changes.

    def _open_epoch(self, members: list[bytes], leaders: Sequence[bytes], seed: bytes) -> None:
        number = self.env.header.epoch + 1
        in_office = [leader for leader in leaders if leader in members] or members
        self.Set.put(ValidatorSet(validators=members))
        self.Sets.put(number, ValidatorSet(validators=members))
        self.Leaders.put(LeaderSchedule(leaders=in_office, seed=seed))
        self.Epoch.put(number)

    def _rotate(self, live: set[bytes], minimum: int) -> list[bytes]:
        """Count missed rounds, and let go and take in; return the next set."""
        config: ValidatorsConfig = self.Config.get()
        records: dict[bytes, Validator] = dict(self.Bonded.items())
        for who in self.members():
            missed = 0 if who in live else records[who].missed + 1
            if missed != records[who].missed:
                records[who].missed = missed
                self.Bonded.put(who, records[who])
        rules = Rules(config.offline_rounds, max(minimum, 1), config.max_validators)
        rotation = rotate(records, live, rules)
        ended = self.env.header.epoch
        for who, reason in rotation.removed.items():
            record = records[who]
            record.last_epoch, record.missed = ended, 0
            self._put(who, record, Validator.UNBONDING if reason == LEFT else Validator.OUT)
            self.deposit(ValidatorsEvent.Removed(who=who, epoch=ended + 1, reason=reason))
        for who in rotation.entered:
            records[who].last_epoch = 0
            self._put(who, records[who], Validator.ACTIVE)
            self.deposit(ValidatorsEvent.Entered(who=who, epoch=ended + 1))
        return rotation.members

    def _forget(self) -> None:
        """Drop what is about epochs of which no evidence is taken any more, and free their bonds."""
        oldest = self.Epoch.get() - self.Config.get().unbonding_epochs
        for epoch in [epoch for epoch, _ in self.Sets.items() if epoch < oldest]:
            self.Sets.remove(epoch)
            self.Reported.clear(epoch)
        for who, record in list(self.Bonded.items()):
            self._release(who, record)

    def _release(self, who: bytes, record: Validator) -> None:
        """Free the bond of one that has left, unless evidence against it is still taken."""
        held_until = record.last_epoch + self.Config.get().unbonding_epochs if record.last_epoch else 0
        if record.status == Validator.UNBONDING and self.Epoch.get() > held_until:
            self.pallet(Coin).unreserve(who, _amount(record.bond))
            self.Bonded.remove(who)
            self.deposit(ValidatorsEvent.Unbonded(who=who, amount=record.bond))

    # Records.

    def _authors(self) -> list[bytes]:
        return list(self.Authors.get().validators) if self.Authors.exists() else []

    def _record(self, who: bytes) -> Validator:
        record: Validator | None = self.Bonded.get(who)
        if record is None:
            raise NotBonded("join first")
        return record

    def _put(self, who: bytes, record: Validator, status: Validator.Status) -> None:
        if record.status != status:
            record.status, record.since = status, self.env.header.number
        self.Bonded.put(who, record)

    def _wait(self, who: bytes, record: Validator, amount: int) -> None:
        """Fill a bond up to `amount` and let its owner wait for a place."""
        bond = _amount(record.bond)
        if amount > bond:
            self.pallet(Coin).reserve(who, amount - bond)
            record.bond = u128(amount)
        self._put(who, record, Validator.WAITING)

    def _punish(self, reporter: bytes, prove: Callable[[], Offence]) -> None:
        """Slash the offender that the evidence convicts, once for an epoch."""
        try:
            offence = prove()
        except EvidenceError as error:
            raise FalseEvidence(str(error)) from None
        who = offence.account
        if self.Reported.get(offence.epoch, who):
            raise AlreadyReported(f"0x{who.hex()} was slashed for epoch {offence.epoch}")
        self.Reported.put(offence.epoch, who, True)
        record = self._record(who)
        slash, bond = _amount(self.Config.get().slash), _amount(record.bond)
        from_bond = min(slash, bond)
        from_free = self.pallet(Coin).burn(who, reserved=from_bond, free=slash - from_bond)
        record.bond = u128(bond - from_bond)
        after = {
            Validator.ACTIVE: Validator.EXPELLED,
            Validator.LEAVING: Validator.EXPELLED,
            Validator.WAITING: Validator.OUT,
        }
        self._put(who, record, after.get(record.status, record.status))
        self.deposit(
            ValidatorsEvent.Slashed(
                who=who,
                offence=offence.kind.value,
                epoch=offence.epoch,
                amount=u128(from_bond + from_free),
                reporter=reporter,
            )
        )


def _amount(data: bytes) -> int:
    return int.from_bytes(data, "big")

"""The validator set, its epochs and leaders.

Rules:
- the set is sorted by account; a validator's index in certificates and bitmaps is its place in it;
- of n validators at most f = floor((n-1)/3) are assumed faulty, and a quorum is floor(2n/3)+1;
- `Epoch` is the epoch of the next block. The block in whose execution `close_epoch` moves it on is the
  closing block of the epoch before: its header announces set, leaders and seed of the new one. Genesis closes
  epoch 0;
- at genesis the leaders are the validators in their order, and the seed is
  BLAKE2b-256("pocl/genesis-seed/1" || all validators): nobody has revealed anything yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pocl.hashing import HASH_SIZE, hash256
from pocl.keys import PUBLIC_SIZE
from pocl.v1.block_pb2 import EpochChange
from pocl.v1.validators_pb2 import LeaderSchedule, ValidatorSet
from runtime.frame import U64, GenesisError, Message, Pallet, StorageValue
from runtime.quorum import faulty, quorum


class Validators(Pallet):
    """Validator set, leaders and epoch number."""

    name = "validators"

    Set = StorageValue(Message(ValidatorSet), doc="The validators of the epoch, sorted by account.")
    Leaders = StorageValue(
        Message(LeaderSchedule), doc="The preferred leaders of the epoch in order, and its seed."
    )
    Epoch = StorageValue(U64, default=0, doc="The epoch of the next block.")

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take `validators`, a list of different accounts in any order."""
        validators = sorted(config.get("validators", ()))
        if not validators:
            raise GenesisError("validators.validators is empty: a chain needs at least one validator")
        if len(set(validators)) != len(validators):
            raise GenesisError("validators.validators lists an account twice")
        for account in validators:
            if len(account) != PUBLIC_SIZE:
                raise GenesisError(f"validators.validators: an account has {PUBLIC_SIZE} bytes")
        self.Set.put(ValidatorSet(validators=validators))
        self.close_epoch(validators, hash256("pocl/genesis-seed/1", *validators))

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

    def close_epoch(self, leaders: Sequence[bytes], seed: bytes) -> None:
        """End the epoch with this block; the next one has these preferred leaders, in order, and this seed.

        At most once a block. Without leaders the old ones stay in office.
        """
        if self.announced() is not None:
            raise RuntimeError(f"epoch {self.env.header.epoch} is closed already in this block")
        if len(seed) != HASH_SIZE:
            raise ValueError(f"a seed has {HASH_SIZE} bytes, not {len(seed)}")
        in_office = list(leaders) or list(self.Leaders.get().leaders)
        self.Leaders.put(LeaderSchedule(leaders=in_office, seed=seed))
        self.Epoch.put(self.env.header.epoch + 1)

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
        """Check that the set is sorted and without doubles, and that leaders are members."""
        members = self.members()
        assert members == sorted(set(members)), "the validator set is not sorted"
        assert members, "the validator set is empty"
        schedule = self.Leaders.get()
        assert schedule.leaders, "there is no leader"
        assert set(schedule.leaders) <= set(members), "a leader is no validator"
        assert len(schedule.seed) == HASH_SIZE, "the seed is not 32 bytes"

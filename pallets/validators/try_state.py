"""The invariants of the validator set, for tests after every block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pallets.validators.rotation import IN_SET
from pocl.extrinsics import U128_SIZE
from pocl.hashing import HASH_SIZE
from pocl.v1.validators_pb2 import LeaderSchedule, Validator, ValidatorsConfig


def check_set(
    *,
    members: Sequence[bytes],
    schedule: LeaderSchedule,
    records: Mapping[bytes, Validator],
    config: ValidatorsConfig,
    epoch: int,
    sets: Mapping[int, Sequence[bytes]],
) -> None:
    """Raise AssertionError when set, leaders, bonds and past sets do not fit each other."""
    assert list(members) == sorted(set(members)), "the validator set is not sorted"
    assert members, "the validator set is empty"
    assert len(members) <= config.max_validators, "the validator set is too large"
    assert schedule.leaders, "there is no leader"
    assert set(schedule.leaders) <= set(members), "a leader is no validator"
    assert len(schedule.seed) == HASH_SIZE, "the seed is not 32 bytes"

    within = {who for who, record in records.items() if record.status in IN_SET}
    assert within == set(members), "the set and what the records say of it differ"
    for who, record in records.items():
        assert record.status != Validator.STATUS_UNSPECIFIED, f"0x{who.hex()} has no status"
        assert len(record.bond) == U128_SIZE, f"the bond of 0x{who.hex()}"
        if record.status in (Validator.ACTIVE, Validator.WAITING):
            assert record.bond >= config.bond, f"the bond of 0x{who.hex()} is below the least one"
        if who in within:
            assert record.last_epoch == 0, f"0x{who.hex()} is in the set and left it"
        else:
            assert record.missed == 0, f"0x{who.hex()} misses rounds that are not its own"
            assert record.last_epoch < epoch, f"0x{who.hex()} left the set in the future"

    kept = range(max(1, epoch - config.unbonding_epochs), epoch + 1)
    assert sorted(sets) == list(kept), f"sets are kept of {sorted(sets)} in epoch {epoch}"
    assert list(sets[epoch]) == list(members), "the epoch's own set is another"
    for past in sets.values():
        assert set(past) <= set(records), "evidence against a validator is taken whose bond is gone"

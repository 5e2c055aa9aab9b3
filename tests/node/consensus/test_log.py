"""The consensus log on a real disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from node.consensus import log as log_module
from node.consensus.call_record import CallRecord, CallWithheld
from node.consensus.log import (
    ABSTAINS,
    ConsensusLog,
    LogError,
    abstain_until,
    read_log,
    without_log,
)
from node.errors import NodeStartError
from pocl.v1.consensus_pb2 import NOTARIZE, ConsensusMessage, Vote
from pocl.v1.extrinsic_pb2 import Call

GENESIS, ACCOUNT = b"g" * 32, b"a" * 32


def record(view: int, epoch: int = 1) -> ConsensusMessage:
    """Return a record."""
    vote = Vote(epoch=epoch, view=view, kind=NOTARIZE, block_hash=b"h" * 32, signature=b"s" * 64)
    return ConsensusMessage(vote=vote)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "consensus.log"


def filled(path: Path) -> list[int]:
    """Write three appends of one, two and one records; return the file's size after each step."""
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 5)
    sizes = [path.stat().st_size]
    for views in ((1,), (2, 3), (4,)):
        log.append([record(view) for view in views])
        sizes.append(path.stat().st_size)
    log.close()
    return sizes


def views(path: Path) -> list[int]:
    """Open the log and return the views of its records."""
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    found = [item.vote.view for item in log.records]
    log.close()
    return found


def test_records_and_abstention_come_back(path: Path) -> None:
    filled(path)
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    assert log.records == [record(view) for view in (1, 2, 3, 4)]
    assert log.abstain_until == 5
    log.append([record(5)])
    log.close()
    assert views(path) == [1, 2, 3, 4, 5]


def test_every_torn_tail_is_dropped_and_written_over(path: Path) -> None:
    sizes = filled(path)
    whole = path.read_bytes()
    # Cut short, or (when the file grew before its data) zeros.
    torn = [whole[: sizes[2]] + bytes(sizes[3] - sizes[2]), whole[: sizes[2]] + bytes(5000)]
    torn += [whole[:cut] for cut in range(sizes[2], sizes[3])]
    for data in torn:
        path.write_bytes(data)
        assert views(path) == [1, 2, 3], len(data)
        assert path.stat().st_size == sizes[2]
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    log.append([record(9)])
    log.close()
    assert views(path) == [1, 2, 3, 9]


def test_a_last_frame_with_sectors_that_were_never_written_is_dropped(path: Path) -> None:
    sizes = filled(path)
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    log.append([record(view) for view in range(5, 25)])
    log.close()
    whole = path.read_bytes()
    sectors = [at for at in range(0, len(whole), 512) if at > sizes[3]]
    assert len(sectors) > 2
    for written in sectors:
        path.write_bytes(whole[:written] + bytes(len(whole) - written))
        assert views(path) == [1, 2, 3, 4]
        # A disk that writes a sector writes all of it.
        data = whole[: written + 1] + bytes(len(whole) - written - 1)
        path.write_bytes(data)
        if written < sectors[-1]:
            assert views(path) == [1, 2, 3, 4]
            continue
        with pytest.raises(NodeStartError, match="is damaged at byte"):
            views(path)


def test_damage_is_refused_in_the_last_frame_too(path: Path) -> None:
    filled(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(NodeStartError, match=r"is damaged|belongs to|no consensus log"):
            ConsensusLog.open(path, GENESIS, ACCOUNT)
        assert path.read_bytes() == damaged


def test_nobody_is_told_to_restore_a_log(path: Path) -> None:
    filled(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(NodeStartError) as refused:
        ConsensusLog.open(path, GENESIS, ACCOUNT)
    assert "never restore it from a backup" in str(refused.value)
    assert "with four or more validators this validator then abstains for two epochs" in str(refused.value)
    assert "with three or fewer the chain then stops for good" in str(refused.value)
    assert [without_log(n) == ABSTAINS for n in (1, 2, 3, 4, 7)] == [False, False, False, True, True]


@pytest.mark.parametrize(("genesis", "account"), [(b"x" * 32, ACCOUNT), (GENESIS, b"x" * 32)])
def test_a_foreign_log_is_refused(path: Path, genesis: bytes, account: bytes) -> None:
    filled(path)
    with pytest.raises(NodeStartError, match="another chain or another validator"):
        ConsensusLog.open(path, genesis, account)


def test_no_log_is_replaced_and_a_missing_one_is_an_error(path: Path) -> None:
    with pytest.raises(NodeStartError, match="cannot be opened"):
        ConsensusLog.open(path, GENESIS, ACCOUNT)
    filled(path)
    with pytest.raises(NodeStartError, match="exists already"):
        ConsensusLog.create(path, GENESIS, ACCOUNT, 0)


def test_pruning_drops_what_is_final_and_shrinks_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_COMPACT_BYTES", 2000)
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 3)
    largest = 0
    for view in range(1, 101):
        log.append([record(view, epoch=1 + view // 50)])
        log.prune(1 + view // 50, view - 1)
        largest = max(largest, path.stat().st_size)
    assert largest < 3000
    kept = [(item.vote.epoch, item.vote.view) for item in log.records]
    assert kept == [(3, 100)]
    log.close()
    reopened = ConsensusLog.open(path, GENESIS, ACCOUNT)
    assert reopened.abstain_until == 3
    assert [item.vote.view for item in reopened.records][-1] == 100


def test_a_database_older_than_what_was_dropped_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_COMPACT_BYTES", 0)
    filled(path)
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    log.require(1, 0)
    log.prune(1, 4)
    log.close()
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    log.require(1, 4)
    log.require(2, 0)
    with pytest.raises(NodeStartError, match="import-blocks"):
        log.require(1, 3)


def test_after_a_failed_write_nothing_more_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 0)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LogError, match="No space left"):
            log.append([record(1)])
    with pytest.raises(LogError, match="restart"):
        log.append([record(2)])


def call(round: int, args: bytes, function: str = "propose") -> CallRecord:
    return CallRecord.of(Call(pallet="model_propose", function=function, args=args), round)


def test_of_a_noted_call_no_other_one_is_signed_after_any_restart(path: Path) -> None:
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 0)
    log.append([record(1)])
    log.note(call(1, b"one"))
    size = path.stat().st_size
    for _ in range(2):
        log.note(call(1, b"one"))
        assert path.stat().st_size == size
        with pytest.raises(CallWithheld, match=r"another model_propose.propose of round 1 was signed before"):
            log.note(call(1, b"two"))
        log.close()
        log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    log.note(call(1, b"two", "cast"))
    log.note(call(2, b"two"))
    log.append([record(2)])
    assert log.calls == [call(1, b"one"), call(1, b"two", "cast"), call(2, b"two")]
    assert log.records == [record(1), record(2)]
    # Others who read the file see the votes alone.
    assert read_log(path) == (0, [record(1), record(2)])
    log.close()


def test_no_new_call_is_noted_of_a_round_before_the_newest_epoch(path: Path) -> None:
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 0)
    log.note(call(4, b"one"))
    log.append([record(1, epoch=5)])
    assert log.newest_epoch == 5
    log.note(call(4, b"one"))
    with pytest.raises(CallWithheld, match=r"round 4 is over: this validator has voted in epoch 5"):
        log.note(call(4, b"one", "cast"))
    log.note(call(5, b"one"))
    log.prune(7, 0)
    assert (log.records, log.newest_epoch) == ([], 7)
    with pytest.raises(CallWithheld, match="round 6 is over"):
        log.note(call(6, b"one"))


def test_noted_calls_outlast_the_votes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_COMPACT_BYTES", 0)
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 0)
    for round in range(1, 40):
        log.note(call(round, b"one"))
        log.append([record(view, round) for view in range(1, 9)])
        log.prune(round, 9, 3)
    log.close()
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    assert {37, 38, 39} <= {noted.round for noted in log.calls}
    assert len(log.calls) < 10
    with pytest.raises(CallWithheld, match="another"):
        log.note(call(39, b"two"))
    log.close()
    with pytest.raises(LogError, match="is closed"):
        log.note(call(50, b"one"))


def test_a_torn_note_was_never_signed(path: Path) -> None:
    log = ConsensusLog.create(path, GENESIS, ACCOUNT, 0)
    log.note(call(1, b"one"))
    log.close()
    path.write_bytes(path.read_bytes()[:-1])
    log = ConsensusLog.open(path, GENESIS, ACCOUNT)
    assert log.calls == []
    log.note(call(1, b"two"))
    log.close()


def test_until_when_a_validator_without_a_log_abstains() -> None:
    # n = 4: a quorum is 3, and the three others must all have spoken.
    assert abstain_until(1, 2, 4) is None
    assert abstain_until(1, 3, 4) == 3
    assert abstain_until(6, 3, 4) == 8
    assert abstain_until(1, 4, 7) is None
    assert abstain_until(1, 0, 1) == 3
    assert abstain_until(1, 0, 1, member=False) is None

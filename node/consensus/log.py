"""The consensus log: what this validator has signed, on disk before anybody sees it.

A file of frames, appended and synced one at a time:
    frame  = u32be(length) || u32be(crc32 of these four bytes) || payload || u32be(crc32 of the payload)
The first frame is the head: 8 bytes of magic, genesis hash, account, u64be(abstain_until), and the epoch and view
below which records are gone, u64be each. Every other one holds the records of one `append`: each u32be(length)
|| ConsensusMessage, or a record of a call (call_record.py).

Calls. Two different proposals or ballots of one round convict their miner, whatever made it forget the first: a
lost `worker/` folder, a lost or older database. So each is noted here before it is signed, and no other one of that
round is signed after (`note`). Notes of the rounds of which evidence may be taken outlast the votes. And no call is
signed for a round older than an epoch in which this validator has signed anything, whatever the database says.

Since a frame is synced before the next one is written, a crash can only tear the last one: a tail that is cut
short, or that is zero from the beginning of a sector on (the file had grown before its data were there), is dropped
at the next start, and nothing in it was ever sent. Anything else is no crash but damage, which may be in a vote that
others have: it would be forgotten silently, so the file is refused. That holds for the last frame too, if all of it
is there and its checksum is wrong.

Records of final views are dropped: out of memory at once, out of the file when it has grown enough to be
written anew (beside the old one, synced, renamed). What they said is then known only from the database's last
final block: with a lost database, or an older copy than that, votes could be given twice. So nothing is voted
before sync has brought the database at least there (`dropped`); who has nobody to sync from is refused (`require`).

An older log must never take the place of a newer one, whatever the database: it does not know of the votes since.
Nothing here can tell it from the newest one. So no message advises to restore a log: whoever lost it abstains.

Abstention. A validator that lost its log may have voted in any view it does not remember. It abstains until two
epoch boundaries past the newest epoch that it can prove by sync after a quorum of the other validators has told
how far they are (`abstain_until`). Why that is enough: if it voted in epoch E, a quorum finalized the closing
block of E - 1; that quorum and the one asked share an honest validator other than ourselves, which is in E - 1 at
least and serves the blocks that prove it; so the newest proven epoch is at least E - 1, and the first one voted in
again at least E + 1. Claims without blocks behind them count for nothing. The result goes into the head of the
new log before the first vote, so a crash while abstaining does not end the abstention.
The exception is a chain on which nothing is final yet: a node whose database is at block 0, and that none of a
quorum of others has shown otherwise, starts at once, with a new log (abstention.py has the details). Removing a log
*and* its database before block 1 is final is therefore a way to vote twice: do not copy or wipe a validator's base
path in its first seconds.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from node.consensus.call_record import CallRecord, CallWithheld, is_call
from node.durable import replace_file, sync_path
from node.errors import NodeStartError, PoclError
from pocl.hashing import HASH_SIZE
from pocl.keys import PUBLIC_SIZE
from pocl.v1.consensus_pb2 import ConsensusMessage
from runtime.codec import CodecError, decode, encode
from runtime.quorum import faulty, quorum

_MAGIC = b"pocllog1"
_NAME_SIZE = len(_MAGIC) + HASH_SIZE + PUBLIC_SIZE
_HEAD_SIZE = _NAME_SIZE + 24
_COMPACT_BYTES = 4 * 1024 * 1024
_SECTOR = 512
"""Bytes that a disk writes whole or not at all, at least."""


ABSTAINS = "this validator then abstains for two epochs"


def without_log(validators: int | None = None) -> str:
    """Return, for people, what comes of a log that is gone in a set of so many validators; None: not known."""
    if validators is None:
        return f"with four or more validators {without_log(4)}; with three or fewer {without_log(3)}"
    # Who abstains counts among the f: of three or fewer the others are no quorum.
    return ABSTAINS if faulty(validators) else "the chain then stops for good"


class LogError(PoclError):
    """The log cannot be written any more: the node must stop, for nothing may be sent unlogged."""


OLDER_ALONE = "a lone validator gets the blocks in between by `pocl import-blocks`; leave the log as it is"
"""What to do where the database is older than the log and there is nobody to sync from."""


class ConsensusLog:
    """One validator's open log. Only one process may have it open: the database's lock sees to that.

    Its threads may call `append`, `note`, `prune` and `newest_epoch` at any time.
    """

    def __init__(self, path: Path, head: bytes, records: list[bytes], size: int) -> None:
        """For `create` and `open`."""
        self._path = path
        self._head = head
        self._live = [
            (_place(decode(ConsensusMessage, record)), record) for record in records if not is_call(record)
        ]
        calls = [CallRecord.decode(record) for record in records if is_call(record)]
        self._calls = {call.key: call for call in calls}
        self._lock = threading.Lock()
        self._size = size
        self._file = _open(path)
        self._broken = False

    @classmethod
    def create(cls, path: Path, genesis_hash: bytes, account: bytes, abstain_until: int) -> ConsensusLog:
        """Make a new log, synced, whose validator votes from epoch `abstain_until` on.

        Raise NodeStartError when there is one already or the disk refuses.
        """
        head = _MAGIC + genesis_hash + account + _numbers(abstain_until, 0, 0)
        if path.exists():
            raise NodeStartError(f"{path}: exists already; a validator's log is never replaced")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, _frame(head))
            return cls(path, head, [], path.stat().st_size)
        except OSError as error:
            raise NodeStartError(f"{path}: cannot be written: {error.strerror}") from None

    @classmethod
    def open(cls, path: Path, genesis_hash: bytes, account: bytes) -> ConsensusLog:
        """Open a log and drop a torn tail. Raise NodeStartError when it is damaged or not this validator's."""
        try:
            frames, size, length = _load(path, genesis_hash, account)
            if size < length:
                os.truncate(path, size)
                sync_path(path)
            return cls(path, frames[0], [record for frame in frames[1:] for record in _split(frame)], size)
        except OSError as error:
            raise NodeStartError(f"{path}: cannot be opened: {error.strerror}") from None
        except (CodecError, ValueError):
            raise NodeStartError(f"{path}: holds records that this version does not know") from None

    @property
    def abstain_until(self) -> int:
        """The first epoch in which this validator may vote and propose."""
        return _abstain_until(self._head)

    @property
    def dropped(self) -> tuple[int, int]:
        """The epoch and view below which records may be gone from the file."""
        return _dropped(self._head)

    def require(self, epoch: int, view: int) -> None:
        """Raise NodeStartError unless the database is as new as what the log has dropped.

        `epoch` builds on the database's last final block; `view` is that of its FINALIZE certificate, 0 when
        the block closes the epoch before.
        """
        dropped = self.dropped
        if (epoch, view) < dropped:
            raise NodeStartError(
                f"{self._path}: is newer than the database, which is at epoch {epoch}, view {view}, and the log "
                f"at {dropped[0]}, {dropped[1]}: {OLDER_ALONE}"
            )

    @property
    def records(self) -> list[ConsensusMessage]:
        """All records that were not pruned, in the order in which they were appended."""
        return [decode(ConsensusMessage, record) for _, record in self._live]

    def append(self, records: Sequence[ConsensusMessage]) -> None:
        """Write the records; they are on disk when this returns. Raise LogError when the disk refuses."""
        encoded = [encode(record) for record in records]
        with self._lock:
            self._append(encoded)
            self._live += [(_place(record), data) for record, data in zip(records, encoded, strict=True)]

    @property
    def newest_epoch(self) -> int:
        """The newest epoch in which this validator is known to have signed votes or proposals."""
        with self._lock:
            return self._newest_epoch()

    @property
    def calls(self) -> list[CallRecord]:
        """All calls that were noted and not pruned."""
        with self._lock:
            return list(self._calls.values())

    def note(self, call: CallRecord) -> None:
        """Write down a call that is about to be signed; it is on disk when this returns.

        Raise CallWithheld when another one of its name and round was noted before, or its round is older than
        what this validator has signed since; LogError when the disk refuses.
        """
        with self._lock:
            known = self._calls.get(call.key)
            if known == call:
                return
            if known is not None:
                raise CallWithheld(
                    f"another {call.name} of round {call.round} was signed before: two of them are an offence, "
                    "so this round goes on without"
                )
            if call.round < self._newest_epoch():
                raise CallWithheld(
                    f"round {call.round} is over: this validator has voted in epoch {self._newest_epoch()}"
                )
            self._append([call.encode()])
            self._calls[call.key] = call

    def _newest_epoch(self) -> int:
        return max([self.dropped[0], *(epoch for (epoch, _), _ in self._live)])

    def _append(self, records: Sequence[bytes]) -> None:
        if self._broken:
            raise LogError(f"{self._path}: is closed, or was not written completely before: restart the node")
        frame = _frame(b"".join(len(record).to_bytes(4, "big") + record for record in records))
        try:
            _write(self._file, frame)
            os.fsync(self._file.fileno())
        except OSError as error:
            # Half a frame may be there: nothing must follow it.
            self._broken = True
            raise LogError(f"{self._path}: cannot be written: {error.strerror}") from None
        self._size += len(frame)

    def prune(self, epoch: int, view: int, keep_calls: int = 0) -> None:
        """Drop the records below this epoch and view: their blocks are final and committed.

        Calls of so many rounds before the epoch stay.
        """
        with self._lock:
            self._live = [(place, record) for place, record in self._live if place >= (epoch, view)]
            self._calls = {key: call for key, call in self._calls.items() if call.round >= epoch - keep_calls}
            self._head = self._head[:-16] + _numbers(epoch, view)
            if self._size > max(_COMPACT_BYTES, 4 * sum(map(len, self._live_records()))):
                self._rewrite()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._broken = True
            self._file.close()

    def _live_records(self) -> list[bytes]:
        return [*(call.encode() for call in self._calls.values()), *(record for _, record in self._live)]

    def _rewrite(self) -> None:
        frames = [_frame(self._head)]
        frames += [_frame(len(record).to_bytes(4, "big") + record) for record in self._live_records()]
        data = b"".join(frames)
        try:
            self._file.close()
            replace_file(self._path, data)
            self._file = _open(self._path)
        except OSError as error:
            self._broken = True
            raise LogError(f"{self._path}: cannot be written anew: {error.strerror}") from None
        self._size = len(data)


@dataclass(frozen=True)
class LogHead:
    """What the head of a log says."""

    abstain_until: int
    """The first epoch in which the validator may vote and propose."""
    dropped: tuple[int, int]
    """Epoch and view below which records are gone."""


def inspect(path: Path, genesis_hash: bytes, account: bytes) -> LogHead:
    """Read a log through without changing it. Raise NodeStartError as `ConsensusLog.open` does."""
    try:
        frames, _, _ = _load(path, genesis_hash, account)
    except OSError as error:
        raise NodeStartError(f"{path}: cannot be opened: {error.strerror}") from None
    return LogHead(_abstain_until(frames[0]), _dropped(frames[0]))


def read_log(path: Path) -> tuple[int, list[ConsensusMessage]]:
    """Return the first epoch to vote in and the records of any validator's log, which may be in use.

    Changes nothing. Raise NodeStartError for a damaged one, OSError for one that cannot be read.
    """
    frames, _ = _read_frames(path.read_bytes(), path)
    epoch = _abstain_until(_head_of(frames, path))
    records = (record for frame in frames[1:] for record in _split(frame))
    return epoch, [decode(ConsensusMessage, record) for record in records if not is_call(record)]


def log_account(path: Path) -> bytes:
    """Return whose log this is. Raise NodeStartError for a damaged one, OSError for one that cannot be read."""
    frames, _ = _read_frames(path.read_bytes(), path)
    return _head_of(frames, path)[len(_MAGIC) + HASH_SIZE : _NAME_SIZE]


def abstain_until(epoch: int, heard: int, validators: int, member: bool = True) -> int | None:
    """Return the first epoch in which a validator without a log may vote; None while too few were heard.

    `epoch` is this node's after it synced to the highest height that anybody could prove; `heard` is how many
    other validators of the set said how far they are; `member` says whether this node is of the set itself. Rule
    and reasons: module docstring.
    """
    return epoch + 2 if heard >= min(quorum(validators), validators - member) else None


def _load(path: Path, genesis_hash: bytes, account: bytes) -> tuple[list[bytes], int, int]:
    """Return the frames of this validator's log, where the last one ends, and the file's length."""
    data = path.read_bytes()
    frames, size = _read_frames(data, path)
    if _head_of(frames, path)[len(_MAGIC) : _NAME_SIZE] != genesis_hash + account:
        raise NodeStartError(f"{path}: belongs to another chain or another validator")
    return frames, size, len(data)


def _abstain_until(head: bytes) -> int:
    return int.from_bytes(head[_NAME_SIZE : _NAME_SIZE + 8], "big")


def _dropped(head: bytes) -> tuple[int, int]:
    return int.from_bytes(head[-16:-8], "big"), int.from_bytes(head[-8:], "big")


def _open(path: Path) -> FileIO:
    # Without a buffer: what a full disk refused must not be tried again when the file is closed.
    return open(path, "ab", buffering=0)


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it: a disk that is nearly full takes a part, and says so only at the next write."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _place(record: ConsensusMessage) -> tuple[int, int]:
    content = getattr(record, record.WhichOneof("message") or "vote")
    return content.epoch, content.view


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "big") for value in values)


def _frame(payload: bytes) -> bytes:
    length = len(payload).to_bytes(4, "big")
    return length + _checksum(length) + payload + _checksum(payload)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def _read_frames(data: bytes, path: Path) -> tuple[list[bytes], int]:
    """Return the payloads of all whole frames and where the last one ends."""
    frames, at = [], 0
    while len(data) - at >= 8 and any(data[at : at + 8]):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + length + 4
        payload = data[at + 8 : end - 4]
        if _checksum(data[at : at + 4]) != data[at + 4 : at + 8]:
            if any(data[at + 8 :]):
                raise _damaged(path, at)
            break
        if end > len(data):
            break
        if _checksum(payload) != data[end - 4 : end]:
            if any(data[max(at, (end - 1) // _SECTOR * _SECTOR) :]):
                raise _damaged(path, at)
            break
        frames.append(payload)
        at = end
    if any(data[at : at + 8]) or not any(data[at:]):
        return frames, at
    raise _damaged(path, at)


def _head_of(frames: Sequence[bytes], path: Path) -> bytes:
    if not frames or len(frames[0]) != _HEAD_SIZE or not frames[0].startswith(_MAGIC):
        raise NodeStartError(f"{path}: is no consensus log of this version")
    return frames[0]


def _damaged(path: Path, at: int) -> NodeStartError:
    return NodeStartError(
        f"{path}: is damaged at byte {at}: never restore it from a backup, which lacks the newest votes, but remove "
        f"it: {without_log()}"
    )


def _split(payload: bytes) -> list[bytes]:
    records, at = [], 0
    while at < len(payload):
        length = int.from_bytes(payload[at : at + 4], "big")
        records.append(payload[at + 4 : at + 4 + length])
        at += 4 + length
    return records

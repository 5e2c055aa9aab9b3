"""What accomplices tell each other behind the chain's back.

A word is said by an account, about a round, under a topic; accomplices can read it at any time afterwards.
Nothing here waits: an attacker that lacks a word tries again at the next view of its round and gives up by
the phase clock, as the honest halves do. So rounds in one process and processes of their own behave alike.

    Gang(accounts)               in one process: `gang.member(account)` for each attacker
    folder(path, account, ...)   processes of their own: a folder that all of them can write to

The folder holds a file `accounts`, one SS58 address a line, written before the first worker starts
(`write_accounts`), and `<genesis>/<round>/<account>.<topic>`, hexadecimal but for round and topic. Words are
written whole or not at all. Accomplices trust each other: what is in the folder is not checked.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from node.errors import ConfigError
from pocl.keys import ss58_decode, ss58_encode

KEEP_ROUNDS = 8
"""Rounds whose words are kept: the same as of the miner's own files."""

ACCOUNTS_FILE = "accounts"

_TOPIC = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


class Collusion(Protocol):
    """The side channel as one accomplice has it."""

    account: bytes
    """Whose words `tell` says."""
    accounts: Sequence[bytes]
    """All accomplices, this one among them, sorted."""

    def tell(self, round: int, topic: str, data: bytes) -> None:
        """Say a word to the accomplices, in place of what was said before."""

    def heard(self, round: int, account: bytes, topic: str) -> bytes | None:
        """Return what an accomplice said, or None."""


class Gang:
    """Accomplices in one process."""

    def __init__(self, accounts: Iterable[bytes]) -> None:
        self.accounts = tuple(sorted(set(accounts)))
        self.words: dict[tuple[int, bytes, str], bytes] = {}

    def member(self, account: bytes) -> Collusion:
        """Return the channel of one of the accomplices. Raise ConfigError for anybody else."""
        _require_member(account, self.accounts, "this gang")
        return _Member(self, account)

    def forget_before(self, round: int) -> None:
        """Drop the words about all rounds before this one."""
        for place in [place for place in self.words if place[0] < round]:
            del self.words[place]


class _Member:
    def __init__(self, gang: Gang, account: bytes) -> None:
        self._gang = gang
        self.account = account
        self.accounts: Sequence[bytes] = gang.accounts

    def tell(self, round: int, topic: str, data: bytes) -> None:
        self._gang.words[round, self.account, topic] = data
        self._gang.forget_before(round - KEEP_ROUNDS + 1)

    def heard(self, round: int, account: bytes, topic: str) -> bytes | None:
        return self._gang.words.get((round, account, topic))


def alone(account: bytes) -> Collusion:
    """Return the channel of an attacker without accomplices."""
    return Gang([account]).member(account)


class FolderCollusion:
    """Accomplices that share a folder."""

    def __init__(self, path: Path, account: bytes, genesis_hash: bytes) -> None:
        """Raise ConfigError unless the folder names its accomplices and `account` is one of them."""
        self.account = account
        self.accounts: Sequence[bytes] = _read_accounts(path)
        _require_member(account, self.accounts, str(path / ACCOUNTS_FILE))
        self._rounds = path / genesis_hash.hex()

    def tell(self, round: int, topic: str, data: bytes) -> None:
        """Write a file of the round. Raise ConfigError when the folder cannot be written."""
        file = self._file(round, self.account, topic)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_name(f".{file.name}.part")
            unfinished.write_bytes(data)
            unfinished.replace(file)
        except OSError as error:
            raise ConfigError(f"{file}: accomplices cannot be told: {error.strerror}") from None
        # Long over for everybody; whoever comes first clears up, and two may at once.
        for folder in self._rounds.iterdir():
            if int(folder.name) <= round - KEEP_ROUNDS:
                shutil.rmtree(folder, ignore_errors=True)

    def heard(self, round: int, account: bytes, topic: str) -> bytes | None:
        """Return an accomplice's file of the round, or None."""
        try:
            return self._file(round, account, topic).read_bytes()
        except FileNotFoundError:
            return None

    def _file(self, round: int, account: bytes, topic: str) -> Path:
        if not _TOPIC.fullmatch(topic):
            raise ValueError(f"{topic!r} is no topic: small letters, digits and hyphens, at most 100")
        return self._rounds / str(round) / f"{account.hex()}.{topic}"


def write_accounts(path: Path, accounts: Iterable[bytes]) -> None:
    """Make the folder of a collusion and name the accomplices in it. Raise ConfigError."""
    lines = "".join(ss58_encode(account) + "\n" for account in sorted(set(accounts)))
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / ACCOUNTS_FILE).write_text(lines, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot become a folder of accomplices: {error.strerror}") from None


def _read_accounts(path: Path) -> tuple[bytes, ...]:
    file = path / ACCOUNTS_FILE
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: cannot be read ({getattr(error, 'strerror', None) or 'not text'}): "
            "it names the accomplices, one address a line"
        ) from None
    try:
        return tuple(sorted({ss58_decode(line) for line in lines}))
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None


def _require_member(account: bytes, accounts: Sequence[bytes], where: str) -> None:
    if account not in accounts:
        raise ConfigError(
            f"{where} does not name {ss58_encode(account)}: an accomplice must be among its own"
        )

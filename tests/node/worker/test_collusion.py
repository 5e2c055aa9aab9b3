"""The side channel of accomplices: in one process and through a folder, alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import ConfigError
from node.worker.behaviours import Collusion, FolderCollusion, Gang, write_accounts
from node.worker.behaviours.collusion import KEEP_ROUNDS
from tests.pallets.harness import ALICE, BOB, CHARLIE

GENESIS = bytes(range(32))
ACCOUNTS = [CHARLIE.public, ALICE.public]
Join = Callable[[bytes], Collusion]


@pytest.fixture(params=["memory", "folder"])
def join(request: pytest.FixtureRequest, tmp_path: Path) -> Join:
    if request.param == "memory":
        return Gang(ACCOUNTS).member
    write_accounts(tmp_path / "gang", ACCOUNTS)
    return lambda account: FolderCollusion(tmp_path / "gang", account, GENESIS)


def test_what_one_says_the_others_hear(join: Join) -> None:
    alice, charlie = join(ALICE.public), join(CHARLIE.public)
    assert alice.accounts == charlie.accounts == tuple(sorted(ACCOUNTS))
    assert charlie.heard(1, ALICE.public, "model") is None
    alice.tell(1, "model", b"first")
    alice.tell(1, "model", b"second")
    assert charlie.heard(1, ALICE.public, "model") == alice.heard(1, ALICE.public, "model") == b"second"
    assert charlie.heard(1, CHARLIE.public, "model") is None
    assert charlie.heard(2, ALICE.public, "model") is None
    assert charlie.heard(1, ALICE.public, "labels") is None


def test_what_is_long_over_is_forgotten(join: Join) -> None:
    alice = join(ALICE.public)
    alice.tell(1, "model", b"old")
    alice.tell(KEEP_ROUNDS, "model", b"new")
    assert alice.heard(1, ALICE.public, "model") == b"old"
    alice.tell(KEEP_ROUNDS + 1, "model", b"newer")
    assert alice.heard(1, ALICE.public, "model") is None
    assert alice.heard(KEEP_ROUNDS, ALICE.public, "model") == b"new"


def test_nobody_else_joins(join: Join) -> None:
    with pytest.raises(ConfigError, match=f"does not name {BOB.address}"):
        join(BOB.public)


def test_another_chain_is_another_matter(tmp_path: Path) -> None:
    write_accounts(tmp_path, ACCOUNTS)
    FolderCollusion(tmp_path, ALICE.public, GENESIS).tell(1, "model", b"ours")
    assert FolderCollusion(tmp_path, ALICE.public, bytes(32)).heard(1, ALICE.public, "model") is None


def test_a_folder_that_names_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"accounts: cannot be read .* one address a line"):
        FolderCollusion(tmp_path, ALICE.public, GENESIS)
    (tmp_path / "accounts").write_text("alice\n")
    with pytest.raises(ConfigError, match="accounts: 'alice' is not an address"):
        FolderCollusion(tmp_path, ALICE.public, GENESIS)

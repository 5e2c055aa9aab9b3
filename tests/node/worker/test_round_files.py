"""A miner's own files of a round survive a restart."""

import errno
import os
from pathlib import Path

import pytest

from node.worker.round_files import RoundFileError, RoundFiles


@pytest.fixture
def files(tmp_path: Path) -> RoundFiles:
    return RoundFiles(tmp_path / "home")


def test_what_was_written_is_read(files: RoundFiles, tmp_path: Path) -> None:
    assert files.read(1, "weights") is None
    files.write(1, "weights", b"one")
    files.write(1, "weights", b"two")
    files.write(2, "weights", b"")
    assert files.read(1, "weights") == b"two"
    assert files.read(2, "weights") == b""
    assert RoundFiles(tmp_path / "home").read(1, "weights") == b"two"


def test_a_write_that_fails_leaves_what_was_there(
    files: RoundFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(1, "weights", b"old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RoundFileError, match="weights: cannot be written: No space left"):
        files.write(1, "weights", b"new")
    assert files.read(1, "weights") == b"old"


def test_it_is_synced_before_it_takes_its_name(files: RoundFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append("sync"), sync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("name"), replace(self, to)))
    files.write(1, "weights", b"x")
    assert steps[-3:] == ["sync", "name", "sync"]


def test_old_rounds_go(files: RoundFiles, tmp_path: Path) -> None:
    for round in (1, 2, 10):
        files.write(round, "weights", b"x")
    (tmp_path / "home" / "rounds" / "notes").mkdir()
    files.drop_before(3)
    assert sorted(os.listdir(tmp_path / "home" / "rounds")) == ["10", "notes"]
    RoundFiles(tmp_path / "nothing").drop_before(3)


@pytest.mark.parametrize("name", ["", "../weights", "a/b", ".hidden", "a" * 65, "ä"])
def test_a_name_cannot_leave_its_folder(files: RoundFiles, name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a round's file"):
        files.write(1, name, b"x")
    with pytest.raises(ValueError, match="is no name of a round's file"):
        files.read(1, name)

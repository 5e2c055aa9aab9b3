"""Databases that are in use, foreign or damaged, and what a killed process leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import plyvel  # type: ignore[import-untyped]
import pytest

from node.errors import NodeStartError
from node.storage import schema
from node.storage.database import Database
from tests.node.storage.harness import check_state, long_chain, store
from tests.runtime.signed_chain import OTHERS, SignedChain

# Commits blocks without end and says so after each; waits when it has no more.
WRITER = """
import sys
from pathlib import Path
from node.storage.database import Database
from tests.node.storage.harness import long_chain, store
chain = long_chain(int(sys.argv[2]))
database = Database.open(Path(sys.argv[1]), chain.genesis_hash)
for block in chain.blocks:
    store(database, chain, [block])
    print(block.header.number, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def chain() -> SignedChain:
    return long_chain(40)


def refusal(path: Path, genesis_hash: bytes) -> str:
    """Return the one line with which a database is refused."""
    with pytest.raises(NodeStartError) as refused:
        Database.open(path, genesis_hash)
    text = str(refused.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def writer(path: Path, count: int) -> subprocess.Popen[str]:
    """Start a process that fills the database at `path`."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.parametrize("reported", [0, 7, 38])
def test_what_commit_returned_from_survives_a_kill(tmp_path: Path, chain: SignedChain, reported: int) -> None:
    with writer(tmp_path / "db", 40) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < reported:
            pass
        os.kill(process.pid, signal.SIGKILL)
    database = Database.open(tmp_path / "db", chain.genesis_hash)
    try:
        final = database.final()[0]
        assert final >= reported
        for version in range(final + 1):
            check_state(database.state(version), chain, version)
        store(database, chain, chain.blocks[final + 1 :])
        check_state(database.state(), chain, 39)
    finally:
        database.close()


def test_a_database_in_use_is_refused(tmp_path: Path, chain: SignedChain) -> None:
    path = tmp_path / "db"
    with writer(path, 1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert "another node uses this database" in refusal(path, chain.genesis_hash)
        process.communicate("")
    database = Database.open(path, chain.genesis_hash)
    assert "another node uses this database" in refusal(path, chain.genesis_hash)
    database.close()


def test_a_database_of_another_chain_is_refused(tmp_path: Path, chain: SignedChain) -> None:
    Database.open(tmp_path, chain.genesis_hash).close()
    other = SignedChain(OTHERS).genesis_hash
    text = refusal(tmp_path, other)
    assert f"0x{chain.genesis_hash.hex()}" in text
    assert f"0x{other.hex()}" in text
    Database.open(tmp_path, chain.genesis_hash).close()


def test_a_database_of_another_program_or_layout_is_refused(tmp_path: Path, chain: SignedChain) -> None:
    with plyvel.DB(str(tmp_path / "other"), create_if_missing=True) as db:
        db.put(b"key", b"value")
    assert "another program" in refusal(tmp_path / "other", chain.genesis_hash)
    Database.open(tmp_path / "db", chain.genesis_hash).close()
    with plyvel.DB(str(tmp_path / "db")) as db:
        db.put(schema.META_SCHEMA, schema.u64(99))
    assert "layout 99" in refusal(tmp_path / "db", chain.genesis_hash)


def remove_current(path: Path) -> None:
    (path / "CURRENT").unlink()


def garble_current(path: Path) -> None:
    (path / "CURRENT").write_text("nonsense")


def garble_manifest(path: Path) -> None:
    for file in path.glob("MANIFEST-*"):
        file.write_bytes(bytes(reversed(file.read_bytes())))


def remove_table(path: Path) -> None:
    next(path.glob("*.ldb")).unlink()


def garble_log(path: Path) -> None:
    (file,) = path.glob("*.log")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def change_final_header(path: Path) -> None:
    with plyvel.DB(str(path)) as db:
        db.put(schema.HEADER + schema.u64(39), db.get(schema.HEADER + schema.u64(38)))


def remove_final_root(path: Path) -> None:
    with plyvel.DB(str(path)) as db:
        db.delete(schema.NODE + schema.u64(39) + b"\0")


@pytest.mark.parametrize(
    "damage",
    [
        remove_current,
        garble_current,
        garble_manifest,
        remove_table,
        garble_log,
        change_final_header,
        remove_final_root,
    ],
)
def test_a_damaged_database_is_refused(
    tmp_path: Path, chain: SignedChain, damage: Callable[[Path], None]
) -> None:
    database = Database.open(tmp_path, chain.genesis_hash)
    store(database, chain, chain.blocks[:20])
    # Into a table; what follows stays in the log.
    database.db.compact_range()
    store(database, chain, chain.blocks[20:])
    database.close()
    damage(tmp_path)
    left = set(tmp_path.glob("*.ldb"))
    assert "the database is damaged" in refusal(tmp_path, chain.genesis_hash)
    assert left <= set(tmp_path.glob("*.ldb")), "the remains were deleted"

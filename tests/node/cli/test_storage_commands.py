"""The commands on a stopped node's data, as an operator types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node import chain_spec
from node.chain import Chain, open_chain
from node.chain_spec import load
from node.cli import run
from node.cli.node_command import command as node_command
from node.consensus.log import ConsensusLog, inspect
from node.layout import consensus_log_file, database_folder
from node.storage import schema
from node.storage.pruning import Pruning
from tests.node.tools.harness import ALICE, DEV_BLOCKS, DEV_CLOSING, advance, make_dev
from tests.test_docs import ROOT, commands

DEV = chain_spec.load("dev")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dev")
    make_dev(path)
    return path


@pytest.fixture
def base(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data, tmp_path / "base"))


@contextmanager
def opened(base: Path) -> Iterator[Chain]:
    chain = open_chain(DEV, base)
    try:
        yield chain
    finally:
        chain.close()


def on(base: Path, *words: str | Path) -> int:
    return run([*map(str, words), "--dev", "--base-path", str(base)])


def out(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line of an error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_blocks_go_from_one_node_to_another(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "blocks.bin", tmp_path / "other"
    assert on(base, "export-blocks", file, "--to", "12") == 0
    assert f"{file}: blocks 1 to 12, " in out(capsys)
    assert on(other, "import-blocks", file, "--json") == 0
    assert json.loads(out(capsys))["imported"] == 12
    assert on(base, "export-blocks", file) == 0
    assert on(other, "import-blocks", file) == 0
    assert "known_before  12" in out(capsys)
    with opened(base) as one, opened(other) as two:
        assert one.final == two.final
    assert on(base, "export-blocks", file, "--from", "3", "--to", "4", "--json") == 0
    assert [json.loads(line).get("number") for line in file.read_text().splitlines()] == [None, 3, 4]
    # One that was cut short, one of another chain.
    file.write_bytes(file.read_bytes()[:99])
    capsys.readouterr()
    assert on(tmp_path / "third", "import-blocks", file) == 1
    assert "is no file of poclblks" in refused(capsys)
    assert on(base, "export-blocks", file) == 0
    assert run(["import-blocks", str(file), "--chain", "local", "--base-path", str(tmp_path / "local")]) == 1
    assert "is of the chain with genesis" in refused(capsys)
    assert not list(tmp_path.glob("*.partial"))


def test_a_block_is_checked(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert on(base, "check-block", "latest", "--json") == 0
    facts = json.loads(out(capsys))
    assert (facts["number"], facts["extrinsics"]) == (DEV_BLOCKS, 1)
    assert on(base, "check-block", facts["hash"]) == 0
    assert facts["state_root"] in out(capsys)
    for block, problem in (
        ("23", "block 23 is not final here: the last final block is 22"),
        ("0x" + "00" * 32, "no final block 0x"),
        ("x", "'x' is not a block"),
    ):
        assert on(base, "check-block", block) == 1
        assert problem in refused(capsys)
    with opened(base) as chain:
        chain.database.db.put(schema.EVENTS + schema.u64(7), b"")
    assert on(base, "check-block", "7") == 1
    assert "block 7: the stored events" in refused(capsys)


def test_a_state_begins_another_chain(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, spec = tmp_path / "state.bin", tmp_path / "fork.json"
    assert on(base, "export-state", file, "--block", str(DEV_CLOSING)) == 0
    assert f"entries of the state after block {DEV_CLOSING}" in out(capsys)
    with opened(base) as chain:
        header = chain.database.header(DEV_CLOSING)
        assert header is not None
    assert (
        run(
            ["build-spec", "--chain", "dev", "--from-state", str(file), "--id", "fork", "--output", str(spec)]
        )
        == 0
    )
    assert run(["chain", "check", str(spec), "--json"]) == 0
    facts = json.loads(out(capsys))
    assert (facts["id"], facts["state_root"]) == ("fork", "0x" + header.state_root.hex())
    assert facts["issuance"] == str(6 * 10**18)
    assert on(base, "export-state", file, "--block", str(DEV_CLOSING), "--json") == 0
    capsys.readouterr()
    command = ["chain", "build-spec", "--chain", "dev", "--from-state", str(file)]
    assert run([*command, "--id", "fork"]) == 0
    assert out(capsys) == spec.read_text()
    assert run([*command, "--validators", "2"]) == 1
    assert "--from-state takes validators and balances as they are" in refused(capsys)
    assert on(base, "export-state", file) == 0
    capsys.readouterr()
    assert run(command) == 1
    assert "closes an epoch" in refused(capsys)


def test_blocks_are_taken_back(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert on(base, "revert", "5", "--json") == 0
    assert json.loads(out(capsys))["final_number"] == DEV_BLOCKS - 5
    assert on(base, "revert", "99") == 1
    assert "99 blocks cannot be taken back" in refused(capsys)
    log_file = consensus_log_file(base)
    with opened(base) as chain:
        ConsensusLog.create(log_file, chain.genesis_hash, ALICE.public, 9).close()
        advance(chain, 2)
        genesis_hash = chain.genesis_hash
    assert on(base, "revert", "1") == 1
    assert "has signed votes" in refused(capsys)
    assert on(base, "revert", "1", "--unsafe-keep-votes", "--unsafe-forget-votes") == 1
    assert "are opposites" in refused(capsys)
    assert on(base, "revert", "1", "--unsafe-keep-votes") == 0
    assert inspect(log_file, genesis_hash, ALICE.public).abstain_until == 9
    assert on(base, "revert", "1", "--unsafe-forget-votes") == 0
    assert "votes_forgotten  yes" in out(capsys)
    assert inspect(log_file, genesis_hash, ALICE.public).abstain_until == 0
    assert on(base, "db", "verify") == 0


def test_purge_removes_data_and_no_keys(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in ("keystore", "network", "blobs"):
        (base / kept).mkdir()
        (base / kept / "file").write_text("x")
    monkeypatch.setattr("click.confirm", lambda text: False)
    assert on(base, "purge-chain") == 0
    assert "nothing was removed" in out(capsys)
    assert database_folder(base).is_dir()
    with opened(base):
        assert on(base, "purge-chain", "-y") == 1
        assert "another node uses this database" in refused(capsys)
    # The log stays where others can give the blocks back, and is never forgotten by the way.
    log_file = consensus_log_file(base)
    ConsensusLog.create(log_file, bytes(32), ALICE.public, 0).close()
    assert on(base, "purge-chain", "-y") == 1
    assert "nobody could give it back the blocks" in refused(capsys)
    monkeypatch.setattr("click.confirm", lambda text: True)
    assert on(base, "purge-chain", "--unsafe-forget-votes") == 0
    assert sorted(path.name for path in base.iterdir()) == ["consensus", "keystore", "network"]
    assert not log_file.exists()
    capsys.readouterr()
    assert on(base, "purge-chain", "-y") == 0
    assert "nothing to remove" in out(capsys)

    local = tmp_path / "local"
    open_chain(load("local"), local).close()
    ConsensusLog.create(consensus_log_file(local), bytes(32), ALICE.public, 0).close()
    assert run(["purge-chain", "-y", "--chain", "local", "--base-path", str(local)]) == 0
    assert not database_folder(local).exists()
    assert consensus_log_file(local).exists()
    # What is damaged may go too.
    open_chain(load("local"), local).close()
    (database_folder(local) / "CURRENT").write_text("nonsense")
    assert run(["purge-chain", "-y", "--chain", "local", "--base-path", str(local)]) == 0
    assert not database_folder(local).exists()


def test_a_database_is_verified(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert on(base, "db", "verify") == 0
    assert out(capsys) == f"no problems: blocks from 0 and states from 0 to {DEV_BLOCKS}\n"
    with opened(base) as chain:
        chain.database.set_pruning(Pruning.both(4))
        while chain.database.prune():
            pass
        chain.database.db.delete(schema.BODY + schema.u64(DEV_BLOCKS - 1))
    assert on(base, "db", "verify") == 1
    *lines, summary = out(capsys).splitlines()
    assert lines[0] == "block 21: its body is missing"
    assert [line for line in lines[1:] if not line.endswith(": block 21 does not have it")] == []
    assert summary == "2 problems: blocks from 19 and states from 19 to 22"
    assert on(base, "db", "verify", "--json") == 1
    assert json.loads(out(capsys)) == {
        "blocks": 22,
        "oldest_body": 19,
        "oldest_state": 19,
        "problems": lines,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["export-blocks", "file"], ["check-block", "1"], ["revert", "1"], ["export-state", "file"], ["db", "verify"],
    ],
)  # fmt: skip
def test_there_must_be_a_stopped_node(
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert on(tmp_path / "none", *words) == 1
    assert "none/db: there is no database" in refused(capsys)
    assert not (tmp_path / "none").exists()
    with opened(base):
        assert on(base, *words) == 1
        assert "another node uses this database" in refused(capsys)
    assert run([*words, "--base-path", str(base)]) == 1
    assert "which chain?" in refused(capsys)


def test_pruning_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--pruning", "--state-pruning", "--blocks-pruning"):
        for value in ("0", "-1", "all", "1.5"):
            assert run(["node", "--dev", "--base-path", str(tmp_path), option, value]) == 1
            assert f"{option} {value} is neither archive nor a number of blocks" in refused(capsys)
    assert {"--pruning", "--state-pruning", "--blocks-pruning"} <= {
        name for parameter in node_command.params for name in parameter.opts
    }


def test_the_commands_of_the_documents_work(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    section = text.partition("## The data of a stopped node")[2].partition("\n## ")[0]
    shutil.copytree(data, tmp_path / "data" / "one")
    monkeypatch.chdir(tmp_path)
    lines = commands(section)
    assert len(lines) >= 10
    for words in lines:
        assert run(words) == 0, (words, capsys.readouterr().err)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "blocks.bin",
        "fork.json",
        "some.jsonl",
        "state.bin",
    ]

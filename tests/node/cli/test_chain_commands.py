"""`pocl chain`: specs made from others, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.chain_spec import load
from node.cli import run
from node.spec_files import built_in_names
from pocl.keys import Keypair


def test_build_spec_prints_built_ins_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    for name in built_in_names():
        assert run(["chain", "build-spec", "--chain", name]) == 0
        assert capsys.readouterr().out == load(name).to_json()


def test_build_spec_changes_validators_and_balances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "seven.json"
    command = [
        "chain",
        "build-spec",
        "--validators",
        "7",
        "--balance",
        "//Zoe=2.5POCL",
        "--balance",
        "//Bob=9000POCL",
    ]
    assert run([*command, "--name", "Seven", "--id", "seven", "--output", str(file)]) == 0
    assert capsys.readouterr().out == ""
    spec, base = load(file), load("local")
    assert (spec.name, spec.id) == ("Seven", "seven")
    assert spec.genesis.validators[0] == Keypair.from_uri("//Alice").public
    assert spec.genesis.validators[6] == Keypair.from_uri("//Miner7").public
    balances = dict(spec.genesis.balances)
    assert balances[Keypair.from_uri("//Zoe").public] == 25 * 10**11
    assert balances[Keypair.from_uri("//Bob").public] == 9000 * 10**12
    assert spec.genesis.round == base.genesis.round
    assert run([*command, "--name", "Seven", "--id", "seven"]) == 0
    assert capsys.readouterr().out == file.read_text()


def test_check_goes_down_to_the_genesis_block(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chain", "check", "dev", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["id"] == "pocl-dev"
    assert facts["issuance"] == str(6 * 10**18)
    assert len(facts["genesis_hash"]) == 66
    assert run(["chain", "check", "local"]) == 0
    assert "pocl-local" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("build-spec", "--chain", "nowhere"), "nowhere"),
        (("build-spec", "--validators", "0"), "validators"),
        (("build-spec", "--validators", "1000"), "validators"),
        (("build-spec", "--balance", "//Bob"), "ACCOUNT=AMOUNT"),
        (("build-spec", "--balance", "//Bob=lots"), "lots"),
        (("build-spec", "--balance", "5x=1"), "address"),
        (("build-spec", "--id", "Not An Id"), "id"),
        (("build-spec", "--output", "/nowhere/at/all.json"), "/nowhere/at/all.json"),
        (("check", "nowhere"), "nowhere"),
    ],
)
def test_what_is_refused_is_one_line(
    arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chain", *arguments]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert named in error
    assert "internal error" not in error

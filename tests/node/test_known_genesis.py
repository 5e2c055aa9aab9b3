"""Block 0 is made once: by the first start of a chain, in a process of its own, whose memory nothing keeps."""

from __future__ import annotations

import dataclasses
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import node.json_fields
import node.known_genesis
import node.service
from node import chain as chain_module
from node import chain_spec
from node.chain import open_chain
from node.chain_spec import ChainSpec, GenesisSpec
from node.cli import run
from node.errors import ChainSpecError, NodeStartError
from node.first_start import begin_aside
from node.genesis import build_genesis
from node.json_fields import Fields
from node.known_genesis import genesis_of, known_genesis
from node.layout import database_folder, genesis_note_file
from pallets.assembly import RUNTIME
from pocl.hashing import hash256
from pocl.keys import ss58_encode

ROOT = Path(__file__).parents[2]
DEV = chain_spec.load("dev")
GENESIS = build_genesis(DEV)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The specs of which this process makes block 0."""
    made: list[str] = []

    def counted(spec: ChainSpec, *rest: Any) -> Any:
        made.append(spec.id)
        return build_genesis(spec, *rest)

    for module in (node.known_genesis, chain_module):
        monkeypatch.setattr(module, "build_genesis", counted)
    return made


def opened(spec: ChainSpec, path: Path) -> bytes:
    """Open and close a chain; return the hash of its block 0."""
    chain = open_chain(spec, path)
    chain.close()
    assert chain.database.genesis_hash == chain.genesis_hash
    return chain.genesis_hash


def changed(**genesis: Any) -> ChainSpec:
    return dataclasses.replace(DEV, genesis=dataclasses.replace(DEV.genesis, **genesis))


def test_a_chain_that_is_there_is_opened_without_block_0(tmp_path: Path, builds: list[str]) -> None:
    assert opened(DEV, tmp_path) == opened(DEV, tmp_path) == GENESIS.hash
    # What is no part of block 0 may change.
    assert opened(dataclasses.replace(DEV, name="other", bootnodes=("x",)), tmp_path) == GENESIS.hash
    assert builds == [DEV.id]


def test_another_spec_is_refused_as_ever(tmp_path: Path, builds: list[str]) -> None:
    opened(DEV, tmp_path)
    for other in (
        changed(balances=DEV.genesis.balances[:-1]),
        changed(timestamp_ms=DEV.genesis.timestamp_ms + 1),
        changed(round=dataclasses.replace(DEV.genesis.round, emission=1)),
        changed(validators=(DEV.genesis.validators[0],), global_model=b"\1" * 32),
        dataclasses.replace(DEV, learning={**DEV.learning, "epochs": 77}),
    ):
        with pytest.raises(NodeStartError, match="belongs to the chain with genesis"):
            opened(other, tmp_path)
    assert opened(DEV, tmp_path) == GENESIS.hash
    assert len(builds) == 7


def test_raw_states_and_versions_of_the_runtime_are_told_apart(tmp_path: Path) -> None:
    genesis_of(DEV, tmp_path, RUNTIME)
    assert known_genesis(DEV, tmp_path) == GENESIS.hash
    assert known_genesis(dataclasses.replace(DEV, raw_genesis={}), tmp_path) is None
    newer = RUNTIME.verifying_with(RUNTIME.verify)
    newer.spec_version += 1
    assert known_genesis(DEV, tmp_path, newer) is None


@pytest.mark.parametrize("at", [0, 31, 32, 63])
def test_a_damaged_note_counts_for_nothing(tmp_path: Path, builds: list[str], at: int) -> None:
    opened(DEV, tmp_path)
    note = genesis_note_file(tmp_path)
    data = bytearray(note.read_bytes())
    data[at] ^= 1
    note.write_bytes(data)
    assert opened(DEV, tmp_path) == opened(DEV, tmp_path) == GENESIS.hash
    assert builds == [DEV.id, DEV.id]


def test_a_note_without_its_database(tmp_path: Path, builds: list[str]) -> None:
    genesis_of(DEV, tmp_path, RUNTIME)
    assert opened(DEV, tmp_path) == GENESIS.hash
    assert len(builds) == 2


FIRST_START = """
import sys
from pathlib import Path

from node import chain, chain_spec, known_genesis
from node.first_start import begin_aside


def made_here(*rest):
    raise AssertionError("block 0 is made here")


spec, path = chain_spec.load("dev"), Path(sys.argv[1])
begin_aside(spec, path)
known_genesis.build_genesis = chain.build_genesis = made_here
opened = chain.open_chain(spec, path)
print(opened.genesis_hash.hex())
opened.close()
"""


def test_the_first_start_leaves_block_0_to_another_process(tmp_path: Path) -> None:
    # In a process with one thread, as a node's is by then; this one has idle ones of other tests.
    done = subprocess.run(
        [sys.executable, "-c", FIRST_START, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == GENESIS.hash.hex(), done.stderr


def test_what_fails_aside_is_told_here(tmp_path: Path) -> None:
    wrong = changed(balances=())
    begin_aside(wrong, tmp_path)
    with pytest.raises(ChainSpecError, match="no genesis block can be made"):
        open_chain(wrong, tmp_path)


def test_no_fork_beside_other_threads(tmp_path: Path) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        begin_aside(DEV, tmp_path)
    finally:
        over.set()
        thread.join()
    assert not database_folder(tmp_path).exists()


def test_a_running_node_keeps_no_genesis_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the spec that the command reads nothing long is left when the services start."""
    spec, found = tmp_path / "spec.json", list[Any]()
    dataclasses.replace(DEV, id="kept", genesis=dataclasses.replace(DEV.genesis, timestamp_ms=4711)).save(
        spec
    )

    def services(start: Callable[..., Any], config: Any, chain: Any, instruments: Any) -> None:
        gc.collect()
        found.append(config.chain.genesis.balances)
        found.extend(
            kept.balances
            for kept in gc.get_objects()
            if isinstance(kept, GenesisSpec)
            and kept.timestamp_ms == 4711
            and kept is not config.chain.genesis
        )

    monkeypatch.setattr(node.service.trio, "run", services)
    assert run(["node", "--chain", str(spec), "--base-path", str(tmp_path / "base"), "--no-prometheus"]) == 0
    assert found == [()]


def test_each_address_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    original = node.json_fields.ss58_decode

    def counted(text: str, prefix: int) -> bytes:
        decoded.append(text)
        return original(text, prefix)

    monkeypatch.setattr(node.json_fields, "ss58_decode", counted)
    value = DEV.to_dict()
    more = [[ss58_encode(hash256("test", bytes([number]))), "1"] for number in range(100)]
    value["genesis"]["coin"]["balances"] += more
    genesis = chain_spec.parse(value, "x").genesis
    assert len(decoded) == len(genesis.balances) + len(genesis.validators)


class Account(bytes):
    """An account that counts what it is compared with."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Account.compared += 1
        return bytes.__eq__(self, other)  # type: ignore[no-any-return]

    __hash__ = bytes.__hash__


def test_repeated_accounts_are_found_without_comparing_all_with_all() -> None:
    accounts: list[bytes] = [Account(hash256("test", bytes([number]))) for number in range(250)]
    chain_spec._refuse_repeated(Fields("x", "", {}), "balances", accounts, accounts)
    assert Account.compared < len(accounts)

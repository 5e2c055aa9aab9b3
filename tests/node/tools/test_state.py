"""A state in a file, and a new chain that begins with it: the same root, and a chain that goes on."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest

from node import chain_spec
from node.chain import Chain, open_chain
from node.errors import ChainSpecError
from node.genesis import build_genesis
from node.storage.pruning import Pruning
from node.tools.frames import FileError
from node.tools.spec_from_state import spec_from_state
from node.tools.state_file import export_json, export_state, read_state
from node.tools.stopped import stopped_chain
from node.tools.verify import verify
from pallets.assembly import RUNTIME
from runtime.light import LightClient
from tests.node.tools.harness import BLOCKS, BOB, DEV_BLOCKS, DEV_CLOSING, advance

DEV = chain_spec.load("dev")


def exported(chain: Chain, number: int) -> bytes:
    file = io.BytesIO()
    assert export_state(chain, number, file) == len(list(chain.final_state(number).iterate(b"")))
    return file.getvalue()


@pytest.mark.parametrize("number", [0, 9, BLOCKS])
def test_both_kinds_of_file_hold_the_state_of_any_kept_block(
    chain: Chain, tmp_path: Path, number: int
) -> None:
    header = chain.database.header(number)
    assert header is not None
    binary, text = tmp_path / "state.bin", tmp_path / "state.json"
    binary.write_bytes(exported(chain, number))
    with text.open("w") as file:
        export_json(chain, number, file)
    state = read_state(binary)
    assert state == read_state(text)
    assert dict(state.entries) == dict(chain.final_state(number).iterate(b""))
    assert (state.number, state.hash, state.state_root) == (
        number,
        chain.database.hash(number),
        header.state_root,
    )
    assert json.loads(text.read_text())["header"]["number"] == number


def test_a_damaged_file_is_refused(chain: Chain, tmp_path: Path) -> None:
    file, whole = tmp_path / "state.bin", exported(chain, BLOCKS)
    for place in range(0, len(whole), 97):
        file.write_bytes(whole[:place])
        with pytest.raises(FileError, match=r"state.bin: "):
            read_state(file)
        file.write_bytes(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :])
        with pytest.raises(FileError, match=r"state.bin: ") as refused:
            read_state(file)
        assert "\n" not in str(refused.value)
    for text in ("{", "{}", '{"format": "poclstat", "version": 2}', '{"format": 1}', "{" * 100_000):
        file.write_text(text)
        with pytest.raises(FileError, match=r"state.bin: is no "):
            read_state(file)


def fork(dev: Path, tmp_path: Path, number: int) -> chain_spec.ChainSpec:
    file = tmp_path / "state.bin"
    with stopped_chain(DEV, dev) as chain:
        file.write_bytes(exported(chain, number))
    return spec_from_state(DEV, read_state(file), str(file))


def test_a_chain_goes_on_from_the_state_of_another(dev: Path, tmp_path: Path) -> None:
    spec = fork(dev, tmp_path, DEV_CLOSING)
    assert (spec.id, spec.name) == ("pocl-dev-16", f"{DEV.name} from 16")
    spec.save(tmp_path / "fork.json")
    assert chain_spec.load(tmp_path / "fork.json") == spec
    with stopped_chain(DEV, dev) as old:
        closing = old.database.header(DEV_CLOSING)
        assert closing is not None
        before = old.pallets(old.final_state(DEV_CLOSING))
        balance = before["system"].account(BOB.public)  # type: ignore[attr-defined]
    genesis = build_genesis(spec)
    assert genesis.header.state_root == closing.state_root
    assert genesis.header.next_epoch == closing.next_epoch
    assert genesis.header.timestamp_ms == closing.timestamp_ms
    new = open_chain(spec, tmp_path / "new")
    assert dict(new.final_state().iterate(b"")) == {
        key: value for key, value in genesis.changes.items() if value is not None
    }
    # Rounds and nonces count on, and settle what the old chain had queued; signatures are for this chain alone.
    advance(new, 2 * DEV_CLOSING)
    assert new.epoch_change.epoch >= closing.next_epoch.epoch + 2
    assert not list(verify(new.database))
    RUNTIME.try_state(new.final_state())
    after = new.pallets(new.final_state())["system"].account(BOB.public)  # type: ignore[attr-defined]
    assert after.free >= balance.free
    # And a light client follows it from its genesis header.
    light = LightClient(genesis.header)
    for number in range(1, new.final_number + 1):
        header, justification = new.database.header(number), new.justification(number)
        assert header is not None
        assert justification is not None
        light.import_final(header, justification)
    new.database.set_pruning(Pruning.both(3))
    while new.database.prune():
        pass
    assert not list(verify(new.database))
    new.close()


@pytest.mark.parametrize("number", [DEV_CLOSING - 1, DEV_BLOCKS])
def test_a_state_within_a_round_begins_no_chain(dev: Path, tmp_path: Path, number: int) -> None:
    with pytest.raises(
        ChainSpecError, match=rf"state of block {number}: it is within round .*closes an epoch"
    ):
        fork(dev, tmp_path, number)


def test_a_state_of_another_runtime_or_an_unsound_one_begins_no_chain(
    dev: Path, tmp_path: Path, chain: Chain
) -> None:
    file = tmp_path / "toy.bin"
    file.write_bytes(exported(chain, 10))
    with pytest.raises(
        ChainSpecError, match=r"toy.bin: no chain can begin .* it is no state of this runtime"
    ):
        spec_from_state(DEV, read_state(file), str(file))
    with stopped_chain(DEV, dev) as opened:
        file.write_bytes(exported(opened, DEV_CLOSING))
    state = read_state(file)
    key = next(key for key in state.entries if key.startswith(b"system.Account:"))
    entries = {other: value for other, value in state.entries.items() if other != key}
    spoiled = dataclasses.replace(state, entries=entries)
    with pytest.raises(ChainSpecError, match="no chain can begin with the state of block 16"):
        spec_from_state(DEV, spoiled, "spoiled")


def test_the_sections_beside_a_raw_genesis_must_say_what_it_says(dev: Path, tmp_path: Path) -> None:
    spec = fork(dev, tmp_path, DEV_CLOSING)
    text = spec.to_dict()
    text["genesis"]["round"]["winners"] = 2
    with pytest.raises(ChainSpecError, match=r"genesis.round is not what raw_genesis has"):
        build_genesis(chain_spec.parse(text, "edited"))
    for change in ({"0x": "0x00"}, {"0xAB": "0x00"}, {"ab": "0x00"}, {"0xab": "00"}, {"0xab": 1}, []):
        with pytest.raises(ChainSpecError, match=r"edited: raw_genesis.*(must be)"):
            chain_spec.parse({**spec.to_dict(), "raw_genesis": change}, "edited")
    with pytest.raises(ChainSpecError, match="it is no state of this runtime"):
        build_genesis(chain_spec.parse({**spec.to_dict(), "raw_genesis": {"0xab": "0x00"}}, "edited"))

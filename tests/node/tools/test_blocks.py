"""Blocks in files and back: equal roots, resumed, and nothing believed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.chain import Chain
from node.errors import ConfigError
from node.storage import schema
from node.storage.pruning import Pruning
from node.tools.block_file import check_range, export_blocks, export_json, import_blocks
from node.tools.check_block import CheckFailed, check_block
from node.tools.frames import FileError, FrameReader, FrameWriter
from node.tools.verify import verify
from pocl.v1.network_pb2 import BlockAnnounce
from runtime.codec import decode, encode
from tests.node.chain_harness import SORTED, certificate, open_at, propose
from tests.node.sync_harness import grow
from tests.node.tools.harness import BLOCKS

PATH = Path("blocks.bin")


def exported(chain: Chain, first: int | None = None, last: int | None = None) -> bytes:
    file = io.BytesIO()
    export_blocks(chain, *check_range(chain, first, last), file)
    return file.getvalue()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Chain]:
    opened = open_at(tmp_path / "other")
    yield opened
    opened.close()


def take(chain: Chain, data: bytes) -> tuple[int, int]:
    return import_blocks(chain, io.BytesIO(data), PATH)


def test_what_is_exported_is_imported_to_the_same_chain(chain: Chain, other: Chain) -> None:
    data = exported(chain)
    assert take(other, data) == (BLOCKS, 0)
    assert other.final == chain.final
    for number in range(BLOCKS + 1):
        assert other.final_block(number) == chain.final_block(number)
        assert other.database.events(number) == chain.database.events(number)
        assert other.final_state(number).get(b"system.Number:") == chain.final_state(number).get(
            b"system.Number:"
        )
    assert not list(verify(other.database))
    assert exported(other) == data
    assert take(other, data) == (0, BLOCKS)


def test_an_import_goes_on_where_an_earlier_one_ended(chain: Chain, other: Chain) -> None:
    told: list[int] = []
    for last in (7, 8, 21):
        data = exported(chain, last=last)
        import_blocks(other, io.BytesIO(data), PATH, told.append)
        assert other.final_number == last
        assert told[-1] <= len(data)
    assert take(other, exported(chain, first=15)) == (BLOCKS - 21, 7)
    assert other.final == chain.final
    behind = open_at(other.database.path.parent / "behind")
    take(behind, exported(chain, last=12))
    later = exported(chain, first=30)
    with pytest.raises(FileError, match="goes on with block 30, the last final block here is 12"):
        take(behind, later)
    behind.close()


def test_a_range_that_is_not_here_is_refused(chain: Chain) -> None:
    assert check_range(chain, None, None) == (1, BLOCKS)
    assert check_range(chain, 3, 3) == (3, 3)
    for first, last, problem in (
        (0, None, "block 0 is in the chain spec"),
        (9, 8, "no blocks from 9 to 8"),
        (None, BLOCKS + 1, f"the last final block is {BLOCKS}"),
    ):
        with pytest.raises(ConfigError, match=problem):
            check_range(chain, first, last)
    chain.database.set_pruning(Pruning(None, 10))
    while chain.database.prune():
        pass
    assert check_range(chain, None, None) == (BLOCKS - 9, BLOCKS)
    with pytest.raises(ConfigError, match=f"--from 5: the oldest kept here is {BLOCKS - 9}"):
        check_range(chain, 5, None)


def test_json_has_a_line_a_block(chain: Chain) -> None:
    file = io.StringIO()
    export_json(chain, 9, 11, file)
    head, *lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert head == {"format": "poclblks", "version": 1, "genesis_hash": "0x" + chain.genesis_hash.hex()}
    assert [line["number"] for line in lines] == [9, 10, 11]
    assert lines[0]["hash"] == "0x" + (chain.database.hash(9) or b"").hex()
    assert len(lines[0]["block"]["extrinsics"]) == 2
    assert "justification" not in lines[0], "block 9 is final by block 10's"
    assert lines[1]["justification"]["certificate"]["epoch"] == 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_that_was_cut_short_says_so_and_leaves_what_was_proven(
    chain: Chain, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = exported(chain, last=12)
    size = data.draw(st.integers(0, len(whole) - 1))
    target = open_at(tmp_path_factory.mktemp("cut") / "db")
    try:
        with pytest.raises(
            FileError, match=r"^blocks.bin: .*(ends early|is no file of|without justification)"
        ):
            take(target, whole[:size])
        before = target.final_number
        assert take(target, whole) == (12 - before, before)
        assert target.final_hash == chain.database.hash(12)
    finally:
        target.close()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_never_changes_the_chain(
    chain: Chain, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    spoiled = bytearray(exported(chain, last=6))
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= data.draw(st.integers(1, 255))
    target = open_at(tmp_path_factory.mktemp("spoiled") / "db")
    try:
        with pytest.raises(FileError, match=r"^blocks.bin: ") as refused:
            take(target, bytes(spoiled))
        assert "\n" not in str(refused.value)
        assert target.final_hash == chain.database.hash(target.final_number)
    finally:
        target.close()


def changed(chain: Chain, change: Callable[[list[BlockAnnounce]], None], genesis_hash: bytes = b"") -> bytes:
    """Return an export with other records; it is whole as a file."""
    records = [
        decode(BlockAnnounce, record)
        for record in FrameReader(io.BytesIO(exported(chain, last=12)), PATH, b"poclblks", 1)
    ]
    change(records)
    file = io.BytesIO()
    writer = FrameWriter(file, b"poclblks", 1, genesis_hash or chain.genesis_hash)
    for record in records:
        writer.write(encode(record))
    writer.end()
    return file.getvalue()


def forge_signature(records: list[BlockAnnounce]) -> None:
    records[3].justification.certificate.signatures[0] = bytes(64)


def other_extrinsics(records: list[BlockAnnounce]) -> None:
    del records[3].block.extrinsics[0]


def other_root(records: list[BlockAnnounce]) -> None:
    records[3].block.header.state_root = bytes(32)


def leave_out(records: list[BlockAnnounce]) -> None:
    del records[3]


def no_justification(records: list[BlockAnnounce]) -> None:
    for record in records[3:]:
        record.ClearField("justification")


@pytest.mark.parametrize(
    "change", [forge_signature, other_extrinsics, other_root, leave_out, no_justification]
)
def test_what_a_file_claims_is_checked_as_in_sync(
    chain: Chain, other: Chain, change: Callable[[list[BlockAnnounce]], None]
) -> None:
    with pytest.raises(FileError, match=r"^blocks.bin: "):
        take(other, changed(chain, change))
    assert other.final_number in (2, 3)
    assert other.final_hash == chain.database.hash(other.final_number)


def test_a_file_of_another_chain_or_kind_is_refused(chain: Chain, other: Chain) -> None:
    with pytest.raises(FileError, match="is of the chain with genesis 0x5858"):
        take(other, changed(chain, lambda records: None, b"X" * 32))
    with pytest.raises(FileError, match="is no file of poclblks"):
        take(other, b"something else, and long enough to have a whole head in it")
    newer = bytearray(exported(chain, last=1))
    newer[11] = 9
    with pytest.raises(FileError, match="has format 9, this program knows format 1"):
        take(other, bytes(newer))
    # A fork that more than a third signed as well.
    block = propose(other, other.final_hash, view=5)
    other.finalize(block.hash, certificate(block, SORTED[:3]))
    with pytest.raises(FileError, match=r"its block 1 is 0x.*, the final one here is 0x"):
        take(other, exported(chain, last=1))


def test_a_block_is_executed_again(chain: Chain) -> None:
    for number in (1, 10, BLOCKS):
        executed = check_block(chain, number)
        assert executed.hash == chain.database.hash(number)
    with pytest.raises(ConfigError, match="block 0 is not executed"):
        check_block(chain, 0)
    events = schema.EVENTS + schema.u64(7)
    chain.database.db.put(events, chain.database.get(schema.EVENTS + schema.u64(10)))
    with pytest.raises(CheckFailed, match="block 7: the stored events"):
        check_block(chain, 7)
    chain.database.db.put(schema.BODY + schema.u64(8), chain.database.get(schema.BODY + schema.u64(10)))
    with pytest.raises(CheckFailed, match="block 8"):
        check_block(chain, 8)
    chain.database.set_pruning(Pruning(5, 8))
    while chain.database.prune():
        pass
    assert check_block(chain, BLOCKS - 3)
    with pytest.raises(ConfigError, match=r"cannot be executed: the state after block .* is pruned"):
        check_block(chain, BLOCKS - 6)
    with pytest.raises(ConfigError, match="is not kept here: the oldest is"):
        check_block(chain, 9)


def test_a_pruned_chain_exports_what_it_has(chain: Chain, other: Chain) -> None:
    early = exported(chain, last=BLOCKS - 10)
    chain.database.set_pruning(Pruning.both(10))
    while chain.database.prune():
        pass
    take(other, early)
    assert take(other, exported(chain)) == (10, 0)
    assert other.final == chain.final
    grow(other, 3)

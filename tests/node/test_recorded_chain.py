"""The recorded chain (tests/runtime/recorded_chain.py): made again, and imported by a node, it is what it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.chain import Chain
from node.storage.database import Database
from node.storage.pruning import Pruning
from pocl.v1.consensus_pb2 import FINALIZE
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate
from tests.runtime.recorded_chain import RECORD, Recorder, lines


@pytest.fixture(scope="module")
def made() -> tuple[Recorder, list[ExecutedBlock]]:
    recorder = Recorder()
    return recorder, list(recorder.blocks())


def test_the_chain_made_again_has_every_hash_and_root_as_recorded(
    made: tuple[Recorder, list[ExecutedBlock]],
) -> None:
    recorded = json.loads(RECORD.read_text())
    # Block by block: the first difference names the block.
    for number, (now, then) in enumerate(zip(lines(iter(made[1])), recorded, strict=True)):
        assert now == then, f"block {number}: hash, state root, events root"


def test_a_node_imports_the_chain_and_ends_with_the_same_state(
    made: tuple[Recorder, list[ExecutedBlock]], tmp_path: Path
) -> None:
    recorder, blocks = made
    genesis = blocks[0]
    database = Database.open(tmp_path / "db", genesis.hash)
    database.set_pruning(Pruning.both(50))
    # Signatures of certificates are not what is recorded: any will do.
    chain = Chain(
        recorder.chain.runtime,
        database,
        genesis,
        verify=lambda public, message, signature: True,
    )
    for block in blocks[1:]:
        header = block.header
        executed = chain.import_block(block.block)
        members = len(chain.epoch_change.validators)
        votes = dict.fromkeys(range(members), bytes(64))
        certificate = make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, members)
        chain.finalize(executed.hash, certificate)
    assert dict(chain.final_state().iterate(b"")) == recorder.chain.state.entries
    assert chain.database.events(blocks[-1].header.number) == blocks[-1].events
    chain.close()

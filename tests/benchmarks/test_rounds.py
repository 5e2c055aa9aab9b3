"""The chain of the benchmarks: its transfers are real, its rounds settle them, its certificates hold."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rounds import MINERS, RUNTIME, Growing, genesis_block
from node.chain import Chain
from node.storage.database import Database
from pocl.v1.consensus_pb2 import Justification
from runtime.certificates import verify_justification

ACCOUNTS, ROUNDS, EACH = 40, 3, 4


def test_rounds_settle_the_transfers_and_a_chain_takes_the_blocks_as_final(tmp_path: Path) -> None:
    genesis = genesis_block(ACCOUNTS)
    made = Growing(tmp_path / "made", genesis, ACCOUNTS)
    made.grow(25 * ROUNDS, EACH)
    # Each round that is over settled half of what waited; the last one is about to.
    assert made.queued < 25 * ROUNDS * EACH
    assert made.chain.epoch_change.epoch == ROUNDS + 1
    end = made.chain.database.header(25)
    assert end is not None
    blocks = [made.chain.final_block(number) for number in range(1, 26)]
    assert all(block is not None for block in blocks)
    proof = made.chain.justification(25) or Justification()
    members = [miner.public for miner in MINERS]
    verify_justification(end, proof, members, genesis.hash)
    joined = Chain(RUNTIME, Database.open(tmp_path / "joined", genesis.hash), genesis)
    joined.import_final([block for block in blocks if block is not None], proof)
    assert joined.final_number == 25
    made.close()
    joined.close()

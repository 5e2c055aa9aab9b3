"""What a validator's node signs for its worker after a restart: never a second model of one round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from node.consensus.driver import ConsensusDriver
from node.consensus.log import ConsensusLog
from node.consensus.scheme import Ed25519Scheme
from node.rpc.wiring import note_call
from tests.node.rpc.harness import ALICE, Node
from tests.node.rpc.miner import Miner


class Alone:
    """A network without peers."""

    def peers(self) -> list[Any]:
        return []


@contextmanager
def life(folder: Path) -> Iterator[Miner]:
    """Run a node from its start to its end, with an empty pool and what is on its disk; yield its worker."""
    node = Node(folder)
    log_file = folder / "log"
    if not log_file.exists():
        ConsensusLog.create(log_file, node.chain.genesis_hash, ALICE.public, 0).close()
    driver = ConsensusDriver(
        key=ALICE,
        log_file=log_file,
        chain=node.chain,
        pool=node.pool,
        network=Alone(),  # type: ignore[arg-type]
        spec=node.config.chain.consensus,
        need_sync=lambda peer: None,
    )
    assert driver._journal is not None
    driver._core = driver._executor.open_core(Ed25519Scheme(ALICE), driver._journal)
    object.__setattr__(
        node.context,
        "before_signing",
        lambda call, round: note_call(driver, node.in_trio, call, round),
    )
    try:
        yield Miner(node)
    finally:
        driver._journal.close()
        node.close()


def test_after_a_restart_no_second_model_is_signed(tmp_path: Path) -> None:
    with life(tmp_path) as miner:
        miner.node.author()
        first = miner.propose(1)
        miner.submit("model_propose", "propose", first, 1)
        # It stays in the pool, and is heard of by others, but gets into no block.
    with life(tmp_path) as miner:
        other = miner.propose(1)  # the worker's files are gone: it has trained again
        other.sample_count += 1
        with pytest.raises(grpc.RpcError) as refusal:
            miner.submit("model_propose", "propose", other, 1)
        assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "another model_propose.propose of round 1 was signed before" in refusal.value.details()
        assert len(miner.node.pool) == 0
        miner.submit("model_propose", "propose", first, 1)
        assert len(miner.node.pool) == 1

"""Announced final blocks that are none are charged, by full nodes and validators alike."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from node.sync import Synchronizer
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import BlockAnnounce
from tests.node.chain_harness import act, certificate, open_at, propose


class Network:
    """Remembers who was charged."""

    def __init__(self) -> None:
        self.charged: list[tuple[int, str]] = []

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        self.charged.append((points, reason))


PEER: Any = SimpleNamespace(peer_id="p", name="", final_number=0, validator=None)


@pytest.mark.parametrize("margin", [0, 8], ids=["full node", "validator"])
async def test_an_announcement_must_be_of_a_final_block(tmp_path: Path, margin: int) -> None:
    chain = open_at(tmp_path / "db")
    author = open_at(tmp_path / "author")
    network = Network()
    sync = Synchronizer(chain, margin=margin, imported=lambda: None)
    sync.attach(network)  # type: ignore[arg-type]
    try:
        first = propose(author, author.final_hash, act(0))
        good = BlockAnnounce(block=first.block, justification=Justification(certificate=certificate(first)))

        def announced(change: Any) -> list[int]:
            network.charged.clear()
            announce = BlockAnnounce()
            announce.CopyFrom(good)
            change(announce)
            assert not sync.on_announce(PEER, announce)
            return [points for points, _ in network.charged]

        def false_vote(announce: BlockAnnounce) -> None:
            announce.justification.certificate.signatures[1] = bytes(64)

        def no_child_of_ours(announce: BlockAnnounce) -> None:
            announce.block.header.parent_hash = b"x" * 32

        def another_block(announce: BlockAnnounce) -> None:
            announce.block.header.timestamp_ms += 1

        assert announced(false_vote) == announced(no_child_of_ours) == announced(another_block) == [50]
        # Nobody can tell here whether a far block is final: its pages will.
        assert announced(lambda announce: setattr(announce.block.header, "number", 10**6)) == []

        network.charged.clear()
        assert sync.on_announce(PEER, good) == (margin == 0)
        if margin:
            chain.import_final([Block.FromString(first.block.SerializeToString())], good.justification)
        assert chain.final_number == 1
        assert network.charged == []
        # Now it is final: the same again is nothing, another one at its height is a lie.
        assert announced(lambda announce: None) == []
        assert announced(another_block) == [50]
    finally:
        chain.close()
        author.close()

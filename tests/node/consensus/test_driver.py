"""The driver, over a real chain: what must not end a node or lose a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from node import chain_spec
from node.chain import Chain, open_chain
from node.consensus import types as t
from node.consensus.driver import ConsensusDriver
from node.pool import PoolStatus, TransactionPool
from pocl.extrinsics import extrinsic_hash, sign_call
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.system_pb2 import SystemCall
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message

ALICE = Keypair.from_uri("//Alice")


class Silent:
    """A network without peers."""

    def peers(self) -> list[Any]:
        return []


class World:
    """One validator's chain, pool and driver."""

    def __init__(self, path: Path) -> None:
        spec = chain_spec.load("dev")
        self.chain: Chain = open_chain(spec, path)
        self.pool = TransactionPool(self._validate)
        self.driver = ConsensusDriver(
            key=ALICE,
            log_file=path / "log",
            chain=self.chain,
            pool=self.pool,
            network=Silent(),  # type: ignore[arg-type]
            spec=spec.consensus,
            need_sync=lambda peer: None,
        )

    def make(self, parent: bytes, view: int, *extrinsics: bytes) -> ExecutedBlock:
        header = self.chain.header(parent)
        assert header is not None
        return self.chain.propose(
            parent,
            epoch=1,
            view=view,
            timestamp_ms=header.timestamp_ms + 1000,
            author=ALICE.public,
            extrinsics=extrinsics,
            on_refused=self.driver._executor.on_refused,
        )

    def finalize(self, block: ExecutedBlock) -> None:
        header = block.header
        message = vote_message(self.chain.genesis_hash, 1, header.view, FINALIZE, block.hash)
        signatures = {0: ALICE.sign(message)}
        certificate = make_certificate(1, header.view, FINALIZE, block.hash, signatures, 1)
        self.driver._finalize(t.Final(block.hash, header.number, certificate))

    def remark(self, nonce: int, size: int) -> bytes:
        args = SystemCall.Remark(remark=bytes([nonce]) * size).SerializeToString(deterministic=True)
        return sign_call(
            ALICE,
            Call(pallet="system", function="remark", args=args),
            genesis_hash=self.chain.genesis_hash,
            spec_version=1,
            transaction_version=1,
            nonce=nonce,
        )

    def _validate(self, data: bytes) -> Any:
        chain = self.chain
        return chain.runtime.validate_transaction(chain.final_state(), chain.final, chain.genesis_hash, data)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.chain.close()


async def test_a_leader_that_is_overtaken_while_it_waits_goes_on(world: World) -> None:
    first = world.make(world.chain.genesis_hash, 1)

    async def others_go_on(parent_hash: bytes) -> None:
        world.finalize(first)
        world.finalize(world.make(first.hash, 2))

    world.driver._wait_for_work = others_go_on  # type: ignore[method-assign]
    await world.driver._build(t.Build(1, 1, world.chain.genesis_hash), trio.CancelScope())
    assert not world.driver._inbox


def test_what_waits_for_one_that_does_not_fit_stays_in_the_pool(world: World) -> None:
    half, late = world.remark(0, 600_000), world.remark(2, 10)
    large = world.remark(1, 600_000)
    for data in (half, large, late):
        world.pool.submit(data)
    block = world.make(world.chain.genesis_hash, 1, half, large, late)
    assert list(block.block.extrinsics) == [half]
    assert world.pool.status(extrinsic_hash(large)) is PoolStatus.READY
    assert world.pool.status(extrinsic_hash(late)) is PoolStatus.READY


async def test_a_block_whose_time_never_comes_is_let_go(world: World) -> None:
    first = world.make(world.chain.genesis_hash, 1)
    never = Block()
    never.CopyFrom(first.block)
    never.header.timestamp_ms = 2**63
    async with trio.open_nursery() as nursery:
        world.driver._nursery = nursery
        world.driver._start_validate(t.Validate(never, b"n" * 32, certified=False))
        await trio.testing.wait_all_tasks_blocked()
        assert world.driver._held
        world.finalize(first)
        # Else the nursery would not end.
        assert not world.driver._held

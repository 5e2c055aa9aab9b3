"""The driver, over a real chain: what must not end a node or lose a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from node import chain_spec
from node.chain import Chain, open_chain
from node.chain_spec import ChainSpec
from node.consensus import log as log_module
from node.consensus import types as t
from node.consensus.call_record import CallWithheld
from node.consensus.driver import CLOCK_OFFSET, AgreementFailed, ConsensusDriver, now_ms
from node.consensus.log import ConsensusLog
from node.consensus.scheme import Ed25519Scheme
from node.errors import NodeStartError
from node.pool import PoolStatus, TransactionPool
from pocl.extrinsics import extrinsic_hash, sign_call
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import FINALIZE, ConsensusMessage, Vote
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.system_pb2 import SystemCall
from runtime.blocks import ExecutedBlock, header_hash
from runtime.certificates import make_certificate, vote_message

ALICE = Keypair.from_uri("//Alice")


class Silent:
    """A network without peers."""

    def peers(self) -> list[Any]:
        return []


class World:
    """One validator's chain, pool and driver."""

    def __init__(self, path: Path, spec: ChainSpec | None = None) -> None:
        spec = spec or chain_spec.load("dev")
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
        validators = list(self.chain.epoch_change.validators)
        keys = [Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave")]
        signatures = {validators.index(key.public): key.sign(message) for key in keys[: len(validators)]}
        certificate = make_certificate(1, header.view, FINALIZE, block.hash, signatures, len(validators))
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
    await world.driver._build(t.Build(1, 2, b"a dropped fork".ljust(32)), trio.CancelScope())
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


def test_a_block_after_a_crowd_waits_for_more_to_come_with_it(world: World) -> None:
    executor = world.driver._executor
    now = world.chain.final.timestamp_ms + 10_000
    executor._now_ms = lambda: now
    spec = executor._spec
    nonce, parent = 0, world.chain.genesis_hash
    for view, (count, pause) in enumerate(((1, spec.block_interval_ms), (40, 100), (200, 250)), 1):
        for own in range(nonce, nonce + count):
            world.pool.submit(world.remark(own, 1))
        nonce += count
        block = executor.build(t.Build(1, view, parent)).block
        assert len(block.extrinsics) == count
        now, parent = block.header.timestamp_ms, header_hash(block.header)
        assert executor.block_due(parent) == (pause, spec.heartbeat_ms)
        world.finalize(world.chain.executed(parent))  # type: ignore[arg-type]
        world.pool.on_block(block.extrinsics, block.header.number)


async def test_who_lost_the_database_votes_only_when_it_is_back_where_the_log_was_cut(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_COMPACT_BYTES", 0)
    world = World(tmp_path, chain_spec.load("local"))
    journal = ConsensusLog.create(tmp_path / "log", world.chain.genesis_hash, ALICE.public, 0)
    journal.prune(1, 2)
    asked = 0

    def sync(peer: object) -> None:
        nonlocal asked
        asked += 1
        if asked in (2, 4):  # What it brings is not always enough.
            world.finalize(world.make(world.chain.final_hash, asked // 2))

    world.driver._need_sync = sync
    with trio.fail_after(60):
        await world.driver._restore_database(journal)
    assert world.chain.final_number == 2
    assert asked == 4
    world.chain.close()


def test_a_lone_validator_has_nobody_to_bring_its_database_back(world: World, tmp_path: Path) -> None:
    journal = ConsensusLog.create(tmp_path / "cut", world.chain.genesis_hash, ALICE.public, 0)
    journal._head = journal._head[:-16] + bytes(7) + b"\1" + bytes(7) + b"\2"
    trio.run(world.driver._restore_database, journal)
    with pytest.raises(NodeStartError, match="leave the log as it is"):
        world.driver._executor.open_core(Ed25519Scheme(ALICE), journal)


def test_no_call_of_a_round_is_signed_without_what_the_log_may_say(world: World, tmp_path: Path) -> None:
    driver = world.driver
    with pytest.raises(CallWithheld, match="this validator abstains"):
        driver.journal_for_call(1)
    driver._journal = ConsensusLog.create(tmp_path / "other", world.chain.genesis_hash, ALICE.public, 0)
    with pytest.raises(CallWithheld, match="is behind the consensus log"):
        driver.journal_for_call(1)  # the core is not open: the database may be older than what was dropped
    driver._core = driver._executor.open_core(Ed25519Scheme(ALICE), driver._journal)
    assert driver.journal_for_call(1) is driver._journal
    driver._journal.append([ConsensusMessage(vote=Vote(epoch=1, view=1))])
    with pytest.raises(CallWithheld, match="round 0 is over"):
        driver.journal_for_call(0)
    # The database was lost, or is an older copy: round 1 is not the present one, whatever it says.
    driver._journal.append([ConsensusMessage(vote=Vote(epoch=2, view=1))])
    for round in (1, 2):
        with pytest.raises(CallWithheld, match="at epoch 1, is behind the consensus log"):
            driver.journal_for_call(round)


def test_the_clock_can_be_set_wrong_for_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    right = now_ms()
    monkeypatch.setenv(CLOCK_OFFSET, "3600000")
    assert 3_600_000 <= now_ms() - right < 3_700_000


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


async def test_a_notarized_block_is_taken_in_whatever_the_own_clock_says(world: World) -> None:
    ahead = world.make(world.chain.genesis_hash, 1).block
    ahead.header.timestamp_ms = 2**63
    async with trio.open_nursery() as nursery:
        world.driver._nursery = nursery
        world.driver._start_validate(t.Validate(ahead, b"a" * 32, certified=True))
        # Executed at once: this one is not what its header says.
        assert isinstance(world.driver._inbox.pop(), t.Validated)
        assert not world.driver._inbox
        nursery.cancel_scope.cancel()


async def test_what_is_logged_is_on_disk_before_the_next_action(world: World) -> None:
    vote = ConsensusMessage(vote=Vote(epoch=1, view=1))
    written: list[Any] = []
    journal: Any = SimpleNamespace(append=written.append)
    async with trio.open_nursery() as nursery:
        world.driver._nursery = nursery
        await world.driver._perform(t.Persist((vote,)), journal)
        assert written == [(vote,)]


async def test_a_contradiction_ends_the_driver(world: World) -> None:
    with pytest.raises(AgreementFailed, match="two certificates"):
        await world.driver._perform(t.Halt("two certificates"), SimpleNamespace())  # type: ignore[arg-type]

"""A node reports what its core and its pool saw: once, in turn, until the chain knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from node import chain_spec
from node.chain import Chain, open_chain
from node.consensus import types as t
from node.consensus.driver import ConsensusDriver
from node.dev_accounts import dev_uri, with_validators
from node.offence_reporter import RETRY_BLOCKS, TURN_BLOCKS, OffenceReporter
from node.pool import TransactionPool
from pallets.validators import Validators
from pocl.extrinsics import sign_call
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, ConsensusMessage
from pocl.v1.extrinsic_pb2 import Call, Extrinsic, Payload
from pocl.v1.validators_pb2 import Validator
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.offences import OffenceKind
from tests.evidence import proposal, vote

KEYS = sorted((Keypair.from_uri(dev_uri(index)) for index in range(4)), key=lambda key: key.public)
CULPRIT = KEYS[1]
FIRST, SECOND, THIRD = KEYS[2], KEYS[3], KEYS[0]
"""Who reports the culprit, in this order."""


class World:
    """The chain of four validators, as one of them sees it; blocks are made and finalized by hand."""

    def __init__(self, path: Path, key: Keypair = FIRST) -> None:
        spec = with_validators(chain_spec.load("local"), 4)
        self.chain: Chain = open_chain(spec, path)
        self.pool = TransactionPool(self._validate)
        self.reporter = OffenceReporter(key, self.chain, self.pool, self.pool.submit)

    def block(self, *extrinsics: bytes, take: bool = True) -> ExecutedBlock:
        """Make a final block of these, and with `take` of what is ready in the pool."""
        chain, header = self.chain, self.chain.final
        data = [*extrinsics, *(entry.data for entry in self.pool.ready() if take)]
        block = chain.propose(
            chain.final_hash,
            epoch=1,
            view=header.number + 1,
            timestamp_ms=header.timestamp_ms + 1000,
            author=KEYS[0].public,
            extrinsics=data,
        )
        message = vote_message(chain.genesis_hash, 1, block.header.view, FINALIZE, block.hash)
        votes = {index: KEYS[index].sign(message) for index in range(3)}
        chain.finalize(block.hash, make_certificate(1, block.header.view, FINALIZE, block.hash, votes, 4))
        if take:
            self.pool.on_block(block.block.extrinsics, block.header.number)
        for included in block.block.extrinsics:
            self.reporter.look_at(included)
        self.reporter.on_final()
        return block

    def status(self, who: Keypair = CULPRIT) -> str:
        record = self._validators().Bonded.get(who.public)
        return Validator.Status.Name(record.status)

    def reported(self) -> bool:
        return self._validators().reported(1, CULPRIT.public)

    def two_votes(self, who: Keypair = CULPRIT) -> t.Offence:
        genesis, index = self.chain.genesis_hash, KEYS.index(who)
        first, second = (vote(who, index, genesis, 1, 3, NOTARIZE, bytes([b]) * 32) for b in (1, 2))
        return t.Offence(OffenceKind.TWO_NOTARIZE, who.public, first, second)

    def cast(self, args: bytes, who: Keypair = CULPRIT, round: int = 1) -> bytes:
        return sign_call(
            who,
            Call(pallet="vote", function="cast", args=args),
            genesis_hash=self.chain.genesis_hash,
            spec_version=1,
            transaction_version=1,
            round=round,
        )

    def calls(self) -> list[str]:
        """Return what is in the pool."""
        return [
            Payload.FromString(Extrinsic.FromString(entry.data).payload).call.function
            for entry in self.pool.ready()
        ]

    def _validators(self) -> Validators:
        found = self.chain.pallets(self.chain.final_state())[Validators.name]
        assert isinstance(found, Validators)
        return found

    def _validate(self, data: bytes):  # type: ignore[no-untyped-def]
        chain = self.chain
        return chain.runtime.validate_transaction(chain.final_state(), chain.final, chain.genesis_hash, data)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.chain.close()


def test_an_equivocation_comes_to_the_chain(world: World) -> None:
    world.reporter.equivocation(world.two_votes())
    assert world.calls() == []
    world.block()
    assert world.calls() == ["report_equivocation"]
    world.block()
    assert (world.status(), world.reported()) == ("EXPELLED", True)
    # The same validator's other offences of that epoch are none to the chain.
    world.reporter.equivocation(world.two_votes())
    world.block()
    assert world.calls() == []


def test_two_proposals_are_reported_without_their_bodies(world: World) -> None:
    first, second = (proposal(CULPRIT, world.chain.genesis_hash, 1, 2, number) for number in (7, 8))
    first.proposal.block.extrinsics.append(bytes(3_000_000))  # more than any normal extrinsic may have
    world.reporter.equivocation(t.Offence(OffenceKind.TWO_PROPOSALS, CULPRIT.public, first, second))
    world.block()
    world.block()
    assert world.reported()


def test_nodes_take_turns(tmp_path: Path) -> None:
    world = World(tmp_path, SECOND)
    world.reporter.equivocation(world.two_votes())
    for _ in range(TURN_BLOCKS - 1):
        world.block()
        assert world.calls() == []
    world.block()
    assert world.calls() == ["report_equivocation"]
    world.chain.close()


def test_what_another_one_reported_is_not_reported_again(tmp_path: Path) -> None:
    other = World(tmp_path / "first")
    other.reporter.equivocation(other.two_votes())
    other.block()
    (report,) = [entry.data for entry in other.pool.ready()]
    other.chain.close()
    world = World(tmp_path / "third", THIRD)
    world.reporter.equivocation(world.two_votes())
    world.block(report)
    assert world.reported()
    for _ in range(3 * TURN_BLOCKS):
        assert not world.block().block.extrinsics
    assert world.calls() == []
    world.chain.close()


def test_a_report_that_got_lost_is_sent_again(world: World) -> None:
    world.reporter.equivocation(world.two_votes())
    world.block(take=False)
    (lost,) = [entry.hash for entry in world.pool.ready()]
    world.pool.remove(lost, "lost")
    for _ in range(RETRY_BLOCKS):
        world.block(take=False)
    assert world.calls() == ["report_equivocation"]


def test_two_ballots_of_one_miner_are_twins(world: World) -> None:
    for args in (b"\x0a\x01a", b"\x0a\x01a", b"\x0a\x01b"):
        world.reporter.look_at(world.cast(args))
    world.reporter.look_at(world.cast(b"\x0a\x01c", FIRST))
    world.block()
    assert world.calls() == ["report_twin"]
    world.block()
    assert world.reported()


def test_calls_of_other_rounds_and_of_others_are_no_twins(world: World) -> None:
    for round in (1, 2, 9, 2**63):
        world.reporter.look_at(world.cast(b"\x0a\x01" + bytes([round % 50]), round=round))
    world.reporter.look_at(world.cast(b"\x0a\x01z", round=2**63))
    assert len(world.reporter._calls) == 2
    world.block()
    world.block()
    assert world.calls() == []


def test_an_own_offence_is_said_aloud_and_not_reported(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "pocl.offences"):
        for _ in range(2):
            world.reporter.equivocation(world.two_votes(FIRST))
    (line,) = caplog.messages
    assert "another node runs with it" in line
    world.block()
    assert world.calls() == []


async def test_the_driver_hands_over_what_its_core_finds(tmp_path: Path) -> None:
    """Two votes that came over the network, through a real core, to a slash on the chain."""
    world = World(tmp_path / "chain")
    seen: list[t.Offence] = []

    def report(offence: t.Offence) -> None:
        seen.append(offence)
        world.reporter.equivocation(offence)

    class Silent:
        def peers(self) -> list[object]:
            return []

        def broadcast_consensus(self, data: bytes) -> None:
            pass

    driver = ConsensusDriver(
        key=FIRST,
        log_file=tmp_path / "log",
        chain=world.chain,
        pool=world.pool,
        network=Silent(),  # type: ignore[arg-type]
        spec=chain_spec.load("local").consensus,
        need_sync=lambda peer: None,
        report=report,
    )

    async def now() -> int:
        return 0

    driver._abstention.end = now  # type: ignore[method-assign]
    offence = world.two_votes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        await trio.testing.wait_all_tasks_blocked(0.05)
        messages: list[ConsensusMessage] = [offence.first, offence.second]
        for message in messages:
            driver.post(t.MessageReceived(message, "somebody"))
        with trio.fail_after(10):
            while not seen:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert (seen[0].kind, seen[0].account) == (OffenceKind.TWO_NOTARIZE, CULPRIT.public)
    world.block()
    world.block()
    assert world.status() == "EXPELLED"
    world.chain.close()

"""What a running node's board gathers and writes into the log, over a real chain and a network that is a list."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from node import chain_spec
from node.chain import Chain, open_chain
from node.config import NodeConfig
from node.network import Peer
from node.rpc.reports import WorkerReports
from node.status.collect import StatusBoard
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE
from runtime.certificates import make_certificate, vote_message

ALICE, BOB, CHARLIE, DAVE = (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave"))


def peer(key: Keypair | None, name: str, final_number: int = 0, ahead_s: float | None = None) -> Peer:
    account = None if key is None else key.public
    made = Peer(name, name, account, final_number, 1, "address", False, 0.0)
    if ahead_s is not None:
        made.clock_s = time.time() + ahead_s - trio.current_time()
    return made


class World:
    """A board with its node's parts."""

    def __init__(
        self, path: Path, chain: str = "local", driver: Any = None, wait_for_worker_s: int = 0, **spec: Any
    ) -> None:
        loaded = dataclasses.replace(chain_spec.load(chain), **spec)
        self.config = NodeConfig(
            loaded, path, "mine", role="validator", validator_key=ALICE, wait_for_worker_s=wait_for_worker_s
        )
        self.chain: Chain = open_chain(loaded, path)
        self.peers: list[Peer] = []
        self.sync = SimpleNamespace(syncing=False)
        self.reports = WorkerReports()
        network: Any = SimpleNamespace(peers=lambda: self.peers)
        sync: Any = self.sync
        self.board = StatusBoard(self.config, self.chain, network, sync, driver, self.reports)

    def connect(self, *peers: Peer) -> None:
        self.peers += peers
        for one in peers:
            self.board.on_peer(one)

    def author(self) -> None:
        chain = self.chain
        block = chain.propose(
            chain.final_hash,
            epoch=chain.epoch_change.epoch,
            view=chain.final_number + 1,
            timestamp_ms=chain.final.timestamp_ms + 1000,
            author=chain.epoch_change.validators[chain.final_number % 4],
            extrinsics=[],
        )
        header = block.header
        message = vote_message(chain.genesis_hash, header.epoch, header.view, FINALIZE, block.hash)
        keys = {key.public: key for key in (ALICE, BOB, CHARLIE, DAVE)}
        members = list(chain.epoch_change.validators)
        votes = {index: keys[account].sign(message) for index, account in enumerate(members)}
        certificate = make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, len(members))
        self.board.on_final(chain.finalize(block.hash, certificate))


async def test_the_facts(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.connect(peer(BOB, "bobby", 5, 10.0), peer(CHARLIE, "c", 4, 10.4), peer(None, "full", 99))
    facts = world.board.facts()
    assert facts.connected == {ALICE.public, BOB.public, CHARLIE.public}
    assert (facts.peers, facts.quorum, facts.final_age_s) == (3, 3, None)
    # Of the validators' claims the f = 1 highest counts for nothing, full nodes' count for nothing.
    assert facts.behind == 4
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms + 10_200) < 500
    # Development accounts have their own names, whatever their nodes say.
    assert facts.label(BOB.public) == "bob"
    assert facts.label(ALICE.public) == "alice (this node)"
    world.author()
    facts = world.board.facts()
    assert (facts.final_number, facts.round, facts.phase) == (1, 1, "TRAIN")
    assert facts.final_age_s is not None
    assert facts.final_age_s < 5
    assert set(facts.awaited) == {key.public for key in (ALICE, BOB, CHARLIE, DAVE)}
    assert facts.deadline_ms == world.chain.final.timestamp_ms + world.config.chain.genesis.round.train_ms


async def test_on_a_live_chain_names_come_with_addresses(tmp_path: Path) -> None:
    world = World(tmp_path, chain_type="live")
    world.connect(peer(BOB, "alice"))
    assert world.board.facts().label(BOB.public) == f"alice ({BOB.address[:8]}…)"
    assert world.board.facts().label(ALICE.public) == "mine (this node)"
    assert world.board.facts().label(DAVE.public) == f"{DAVE.address[:8]}…"


async def test_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    caplog.set_level(logging.DEBUG, logger="pocl.node")
    world.author()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        (
            "DEBUG",
            f"block 1 is final: epoch 1, view 1, by charlie, 0 extrinsics, 0x{world.chain.final_hash.hex()}",
        ),
        ("INFO", "round 1 begins: TRAIN; miners: 4 (block 1)"),
    ]
    caplog.clear()
    for _ in range(100):
        if world.chain.epoch_change.epoch == 2:
            break
        world.author()
    lines = [record.message for record in caplog.records if record.levelname == "INFO"]
    assert len(lines) == 1
    assert lines[0].startswith("round 1 is void: fewer proposals than min_miners (block ")
    world.sync.syncing = True
    caplog.clear()
    world.author()
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


@pytest.fixture
def virtual_time(autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes by at once; what runs in threads runs here, for the clock would jump while a thread works."""

    async def at_once(function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


@pytest.mark.usefixtures("virtual_time")
async def test_waiting_for_the_worker_is_said_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    silent = SimpleNamespace(snapshot=lambda: None, without_log=False)
    world = World(tmp_path, driver=silent, wait_for_worker_s=25)
    world.reports.set_state("starting")
    caplog.set_level(logging.INFO, logger="pocl.node")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.board.run)
        await trio.sleep(35)
        nursery.cancel_scope.cancel()
    lines = [record.message for record in caplog.records]
    assert lines[:2] == ["this validator waits for its worker (starting) before it joins consensus"] * 2
    assert lines[2].startswith("nothing became final for 30 s: ")


@pytest.mark.usefixtures("virtual_time")
async def test_why_nothing_becomes_final_is_said_every_ten_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    caplog.set_level(logging.INFO, logger="pocl.node")
    world.connect(peer(CHARLIE, "charlie"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.board.run)
        await trio.sleep(35)
        lines = [record.message for record in caplog.records]
        assert [line.split(": ")[0] for line in lines] == [
            f"nothing became final for {seconds} s" for seconds in (10, 20, 30)
        ]
        assert lines[0].endswith("2 of 4 validators are connected, 3 are needed: waiting for dave and bob")
        caplog.clear()
        world.author()
        await trio.sleep(6)
        assert [record.message for record in caplog.records] == ["round 1 begins: TRAIN; miners: 4 (block 1)"]
        nursery.cancel_scope.cancel()

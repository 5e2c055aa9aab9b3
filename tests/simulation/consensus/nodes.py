"""Honest nodes of the simulation: a real core, a disk that keeps what was synced, and a driver's duties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.consensus import types as t
from node.consensus.core import Core
from node.consensus.timing import Timing
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage
from runtime.blocks import header_hash
from tests.simulation.consensus.toy_chain import GENESIS_HASH
from tests.simulation.scheme import KeyedHashScheme

if TYPE_CHECKING:
    from tests.simulation.consensus.simulation import Simulation

TIMING = Timing(leader_ms=350, view_ms=700, max_ms=3000, stall_ms=250)


@dataclass
class Disk:
    """What survives a crash."""

    log: list[ConsensusMessage] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    """Final blocks by number."""
    certificates: list[Certificate | None] = field(default_factory=list)
    """FINALIZE certificate of a block, None for one that became final with a descendant."""


class HonestNode:
    """Carries out its core's actions in order; may crash between any two of them."""

    core_class: type[Core] = Core

    def __init__(self, simulation: Simulation, index: int, account: bytes) -> None:
        self.simulation = simulation
        self.index = index
        self.account = account
        self.disk = Disk([], [simulation.chain.genesis()], [None])
        self.up = False
        self.life = 0
        self.views = 0
        self._crash_armed = False
        self._syncing = False

    # ---- life and death

    def start(self) -> None:
        """Start from the disk."""
        self.up = True
        self.life += 1
        self._syncing = False
        self._executed: dict[bytes, Block] = {}
        self._tip = self.disk.blocks[-1].header
        self._tip_hash = header_hash(self._tip)
        self.core = self.core_class(
            scheme=KeyedHashScheme(self.account),
            timing=TIMING,
            genesis_hash=GENESIS_HASH,
            epoch=self._epoch(),
            final=self._final(),
            records=self.kept_log(),
        )
        self.step(t.Started())

    def arm_crash(self) -> None:
        """Crash within the next step that has anything to do."""
        self._crash_armed = True

    def crash(self) -> None:
        """Lose everything but the disk, and come back after a while."""
        self._crash_armed = False
        if self.up:
            self.up = False
            self.simulation.trace(f"node {self.index} crashes")
            self.simulation.crashed(self)

    def kept_log(self) -> Iterable[ConsensusMessage]:
        """Return the records a restart finds."""
        return list(self.disk.log)

    # ---- the driver's duties

    def receive(self, sender: int, message: ConsensusMessage) -> None:
        """Take in a message."""
        if self.up:
            account = self.simulation.accounts[sender]
            self.step(t.MessageReceived(message, sender, account))

    def step(self, event: t.Event) -> None:
        """Let the core take a step and do what it asks, at least as far as a crash lets it."""
        actions = self.order(self.core.step(event))
        cut = len(actions)
        if self._crash_armed and actions:
            cut = self.simulation.random.randrange(len(actions) + 1)
        for action in actions[:cut]:
            self.perform(action)
        if self._crash_armed and actions:
            self.crash()

    def order(self, actions: list[t.Action]) -> list[t.Action]:
        """Return the actions in the order in which they are carried out."""
        return actions

    def perform(self, action: t.Action) -> None:
        """Carry out one action."""
        simulation = self.simulation
        network = simulation.network
        simulation.trace_action(self, action)
        match action:
            case t.Persist(records):
                self.disk.log += self.logged(records)
            case t.Broadcast(message):
                self.broadcast(message)
            case t.Send(peer, message):
                assert isinstance(peer, int)
                self.send(peer, message)
            case t.SetTimer(timer, delay_ms):
                self.views += timer.kind is t.TimerKind.LEADER
                network.later(delay_ms, self.answer, self.life, t.TimerFired(timer))
            case t.Build():
                network.later(simulation.random.uniform(20, 120), self.build, self.life, action)
            case t.Validate():
                self.validate(action)
            case t.Final():
                self.finalize(action)
            case t.Prune(epoch, view):
                self.disk.log = [r for r in self.disk.log if _place(r) >= (epoch, view)]
            case t.NeedSync(peer, _):
                if not self._syncing:
                    self._syncing = True
                    network.later(simulation.random.uniform(10, 80), self.sync, self.life, peer)
            case t.Blame() | t.Offence() | t.Halt():
                self.report(action)

    def answer(self, life: int, event: t.Event) -> None:
        """Give the core an answer, unless it was asked for before a crash."""
        if self.up and life == self.life:
            self.step(event)

    def logged(self, records: tuple[ConsensusMessage, ...]) -> Iterable[ConsensusMessage]:
        """Return what the log takes of the records."""
        return records

    def broadcast(self, message: ConsensusMessage) -> None:
        """Send to all others."""
        self._note(message)
        self.simulation.network.broadcast(self.index, message)

    def send(self, peer: int, message: ConsensusMessage) -> None:
        """Send to one."""
        self._note(message)
        self.simulation.network.send(self.index, peer, message)

    def build(self, life: int, request: t.Build) -> None:
        """Answer Build."""
        if not self.up or life != self.life:
            return
        parent = self._header(request.parent_hash)
        if parent is not None:
            simulation = self.simulation
            extrinsics = [simulation.random.randbytes(4)]
            now = int(simulation.network.now)
            block = simulation.chain.build(parent, request.epoch, request.view, self.account, now, extrinsics)
            self._executed[header_hash(block.header)] = block
            self.step(t.Built(request.epoch, request.view, block))

    def validate(self, request: t.Validate) -> None:
        """Answer Validate, when the block's time has come."""
        network = self.simulation.network
        ahead = 0.0 if request.certified else request.block.header.timestamp_ms - network.now
        delay = max(ahead, 0) + self.simulation.random.uniform(0, 15)
        network.later(delay, self._validated, self.life, request)

    def _validated(self, life: int, request: t.Validate) -> None:
        if not self.up or life != self.life:
            return
        parent = self._header(request.block.header.parent_hash)
        fault = "unknown parent" if parent is None else self.simulation.chain.fault(request.block, parent)
        if fault is None:
            self._executed[request.block_hash] = request.block
        self.step(t.Validated(request.block_hash, fault is None, fault or ""))

    def finalize(self, action: t.Final) -> None:
        """Commit a block and its ancestors."""
        if action.number <= self._tip.number:
            return
        path, block_hash = [], action.block_hash
        while block_hash != self._tip_hash:
            block = self._executed[block_hash]
            path.append((block, block_hash))
            block_hash = block.header.parent_hash
        for block, block_hash in reversed(path):
            self.commit(block, block_hash, action.certificate if block_hash == action.block_hash else None)

    def commit(self, block: Block, block_hash: bytes, certificate: Certificate | None) -> None:
        """Make one block final on disk."""
        self.simulation.final(self, block, block_hash, self._tip)
        self.disk.blocks.append(block)
        self.disk.certificates.append(certificate)
        self._tip, self._tip_hash = block.header, block_hash
        self._executed = {h: b for h, b in self._executed.items() if b.header.number > block.header.number}

    def sync(self, life: int, peer: int | None) -> None:
        """Fetch final blocks from the peer, or from any other that answers."""
        if not self.up or life != self.life:
            return
        self._syncing = False
        source = self.simulation.final_disk(self.index, peer)
        certificate = None
        if source is not None:
            last = max((i for i, c in enumerate(source.certificates) if c is not None), default=0)
            for number in range(len(self.disk.blocks), last + 1):
                certificate = source.certificates[number]
                block = source.blocks[number]
                self.commit(block, header_hash(block.header), certificate)
        if certificate is not None:
            self.step(t.Synced(self._final(), self._epoch()))

    def report(self, action: t.Blame | t.Offence | t.Halt) -> None:
        """Tell the watch."""
        self.simulation.watch.reported(self.index, action)

    # ---- helpers

    def place(self, epoch: int) -> int | None:
        """Return this account's index in an epoch's set."""
        return self.simulation.chain.info(epoch, b"", 0).index(self.account)

    @property
    def height(self) -> int:
        """The number of the last final block on disk."""
        return len(self.disk.blocks) - 1

    def _note(self, message: ConsensusMessage) -> None:
        block_hash = header_hash(message.proposal.block.header) if message.HasField("proposal") else b""
        # The epoch may have moved on within the step: the index is that of the message's epoch.
        epoch = self.simulation.chain.info(message.vote.epoch or 1, b"", 0)
        self.simulation.watch.sent(self.index, epoch.index(self.account), message, block_hash)

    def _header(self, block_hash: bytes) -> Header | None:
        if block_hash == self._tip_hash:
            return self._tip
        block = self._executed.get(block_hash)
        return None if block is None else block.header

    def _final(self) -> t.FinalBlock:
        return t.FinalBlock(self._tip_hash, self._tip.number, self.disk.certificates[-1])

    def _epoch(self) -> t.EpochInfo:
        if self._tip.HasField("next_epoch"):
            return t.EpochInfo.from_change(self._tip.next_epoch, self._tip_hash, self._tip.number)
        number = self._tip.number - self._tip.number % self.simulation.chain.close_every
        opening = header_hash(self.disk.blocks[number].header)
        return self.simulation.chain.info(self._tip.epoch, opening, number)


def _place(record: ConsensusMessage) -> tuple[int, int]:
    content = getattr(record, record.WhichOneof("message") or "vote")
    return content.epoch, content.view

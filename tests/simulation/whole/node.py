"""A whole node in virtual time: the node's own chain, pool, executor, core, log, blobs and sync pages, and a worker.

What is written here is what node/service.py, node/consensus/driver.py and node/sync.py do with tasks and sockets.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from node.beginning import Beginning
from node.chain import Chain, UnknownParent
from node.consensus import types as t
from node.consensus.abstention import Abstention
from node.consensus.core import Core
from node.consensus.executor import Executor
from node.offence_reporter import SIGNED, OffenceReporter
from node.pool import PoolError, TransactionPool, Underpriced
from node.storage.errors import StatePruned
from node.sync_pages import page
from node.visibility import may_leave
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import ConsensusMessage
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from pocl.v1.rounds_service_pb2 import RoundView
from runtime.blocks import ExecutedBlock, extrinsics_of, header_hash
from runtime.frame import InvalidTransaction
from runtime.transactions import ValidTransaction
from tests.simulation.scheme import KeyedHashScheme, keyed_hash_verify
from tests.simulation.watch import Violation
from tests.simulation.whole.disk import Disk, PowerCut, SimulatedLog
from tests.simulation.whole.messages import Peer, SyncAnswered, SyncAsked, Transactions
from tests.simulation.whole.syncing import Syncing
from tests.simulation.whole.worker import Worker
from tests.simulation.whole.world import GENESIS_MS, SPEC

# Offences are many here, and what is said of them is in the traces.
logging.getLogger("pocl").addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from tests.simulation.whole.simulation import Simulation

WORK_POLL_MS = 50
GOSSIP_MS = 10
KEEP_BLOBS_ROUNDS = 4


class WholeNode:
    """One process on one machine."""

    watched = True
    """Whether it must keep every rule. Others may do what they like, with their own key."""

    core_class: type[Core] = Core
    log_class: type[SimulatedLog] = SimulatedLog
    worker_class: type[Worker] = Worker
    sync_class: type[Syncing] = Syncing

    def __init__(self, simulation: Simulation, index: int, key: Keypair, learner: int) -> None:
        self.simulation = simulation
        self.index = index
        self.key = key
        self.account = key.public
        self.learner = learner
        self.disk = Disk(simulation.folder / str(index), simulation.random)
        self.skew_ms = 0
        self.up = False
        self.life = 0
        self.views = 0
        self.trainings = 0
        self.told = 0
        """The highest block that this node has reported final."""

    # ---- life and death

    def start(self) -> None:
        """Start from the disk."""
        if not self.up:
            self.up = True
            self.life += 1
            self.guarded(self._start)

    def _start(self) -> None:
        run = self.simulation
        self.core: Core | None = None
        self.journal: SimulatedLog | None = None
        self.peers_by_index: dict[int, Peer] = {}
        self._inbox: deque[t.Event] = deque()
        self._stepping = False
        self._timers: dict[t.TimerKind, t.Timer] = {}
        self._building = 0
        self._gossiping = False
        self.chain = Chain(
            run.runtime, self.disk.database(run.genesis_hash), run.world.genesis, verify=keyed_hash_verify
        )
        if self.watched:
            run.watch.opened(self)
        self.blobs = self.disk.blobs()
        self.pool = TransactionPool(self._validate_transaction)
        self.executor = Executor(self.account, self.chain, self.pool, SPEC, self.now_ms)
        self.reporter = OffenceReporter(self.key, self.chain, self.pool, self.pool.submit)
        self.sync = self.sync_class(self)
        self.chain.on_final(self._on_final)
        self.pool.subscribe(lambda event: self._gossip_soon())
        self.worker = self.worker_class(self)
        self.worker.wake()
        self.abstention = Abstention(
            self.account,
            self.chain,
            self,  # type: ignore[arg-type]
            self.need_sync,
            clock=lambda: run.network.now / 1000,
        )
        run.connect(self)
        self.sync.start()
        if self.disk.log_file.exists():
            self._agree(self.log_class.open(self.disk.log_file, run.genesis_hash, self.account))
        else:
            self._find_out()

    def _find_out(self) -> None:
        """Without a log: find out how long to abstain (node/consensus/abstention.py)."""
        epoch = self.abstention.look()
        if epoch is None:
            self.later(50, self._find_out)
            return
        with self.disk.writing("a new log"):
            journal = self.log_class.create(
                self.disk.log_file, self.simulation.genesis_hash, self.account, epoch
            )
        self._agree(journal)

    def _agree(self, journal: Any) -> None:
        journal.disk = self.disk
        self.journal = journal
        self.core = self.executor.open_core(KeyedHashScheme(self.account), journal, self.core_class)
        self.post(t.Started())

    def die(self, why: str) -> None:
        """Lose everything but the disk, and come back after a while."""
        if self.up:
            self.up = False
            self.disk.left = self.disk.at = None
            if self.journal is not None:
                self.journal.close()
            self.simulation.died(self, why)

    def later(self, delay: float, what: Callable[..., None], *arguments: object) -> None:
        """Do something after a delay in this life."""
        self.simulation.network.later(delay, self._do, self.life, what, arguments)

    def _do(self, life: int, what: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if self.up and life == self.life:
            self.guarded(what, *arguments)

    def guarded(self, what: Callable[..., None], *arguments: object) -> None:
        """Do something that a cut of the power may end. An honest node must not fail in any other way."""
        try:
            what(*arguments)
        except PowerCut as cut:
            self.die(cut.point)
        except Violation:
            raise
        except Exception as error:
            if self.watched:
                raise Violation(f"node {self.index} fails: {error!r}") from error
            self.die(repr(error))

    def now_ms(self) -> int:
        """Return this machine's clock."""
        return GENESIS_MS + 1000 + int(self.simulation.network.now) + self.skew_ms

    # ---- the driver's duties

    def post(self, event: t.Event) -> None:
        """Give the core an event; what it asks for is done before this returns, unless it is at work already."""
        if self.core is None:
            return
        self._inbox.append(event)
        if not self._stepping:
            self._stepping = True
            while self._inbox:
                for action in self.order(self.core.step(self._inbox.popleft())):
                    self.simulation.trace_action(self, action)
                    self._perform(action)
            self._stepping = False

    def order(self, actions: list[t.Action]) -> list[t.Action]:
        """Return the actions in the order in which they are carried out."""
        return actions

    def _perform(self, action: t.Action) -> None:
        assert self.journal is not None
        match action:
            case t.Persist(records):
                self.journal.append(list(self.logged(records)))
            case t.Broadcast(message):
                self.broadcast(message)
            case t.Send(peer, message):
                assert isinstance(peer, int)
                self.send(peer, message)
            case t.SetTimer(timer, delay_ms):
                self.views += timer.kind is t.TimerKind.LEADER
                self._timers[timer.kind] = timer
                self.later(delay_ms, self._on_timer, timer)
            case t.Build():
                self._building += 1
                self._wait_for_time(action, self._building)
            case t.Validate():
                self._validate(action)
            case t.Notarized(block_hash):
                self.chain.set_best(block_hash)
            case t.Final():
                self.executor.finalize(action)
            case t.Prune(epoch, view):
                self.journal.prune(epoch, view, self.executor.calls_kept())
            case t.NeedSync(peer, _):
                self.need_sync(peer)
            case t.Blame() | t.Offence() | t.Halt():
                self.report(action)

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

    def _note(self, message: ConsensusMessage) -> None:
        block_hash = header_hash(message.proposal.block.header) if message.HasField("proposal") else b""
        watch = self.simulation.watch
        watch.sent(self.index, self.place(message.vote.epoch), message, block_hash)
        if self.watched and message.HasField("vote"):
            watch.voted(self, message.vote)

    def place(self, epoch: int) -> int | None:
        """Return this account's index in an epoch's set."""
        return self.simulation.watch.place(self.account, epoch)

    def report(self, action: t.Blame | t.Offence | t.Halt) -> None:
        """Tell the watch, and the chain of an offence."""
        self.simulation.watch.reported(self.index, action)
        if isinstance(action, t.Offence):
            self.reporter.equivocation(action)

    def _on_timer(self, timer: t.Timer) -> None:
        if self._timers.get(timer.kind) is timer:
            self.post(t.TimerFired(timer))

    def _wait_for_time(self, request: t.Build, building: int) -> None:
        try:
            earliest, latest = self.executor.block_due(request.parent_hash)
        except (UnknownParent, StatePruned):
            return
        end = self.simulation.network.now + latest
        self.later(max(earliest, 0), self._build, request, building, end, None)

    def _build(self, request: t.Build, building: int, end: float, found: Callable[[], bool] | None) -> None:
        if building != self._building:
            return
        now = self.simulation.network.now
        try:
            found = found or self.executor.work(request.parent_hash)
            if now < end and not found():
                self.later(min(WORK_POLL_MS, end - now), self._build, request, building, end, found)
                return
            built = self.executor.build(request)
        except (UnknownParent, StatePruned):
            return
        self.post(built)

    def _validate(self, request: t.Validate) -> None:
        ahead_ms = self.executor.hold(request)
        if ahead_ms:
            self.later(ahead_ms, self._validate_when_due, request)
        else:
            self.post(self.executor.validate(request))

    def _validate_when_due(self, request: t.Validate) -> None:
        if self.executor.due(request.block_hash):
            self.post(self.executor.validate(request))

    # ---- what others bring

    def receive(self, sender: int, message: Any) -> None:
        """Take in what came over a link."""
        if self.up:
            self.guarded(self._receive, sender, message)

    def _receive(self, sender: int, message: Any) -> None:
        if isinstance(message, ConsensusMessage):
            self.post(t.MessageReceived(message, sender, self.simulation.accounts[sender]))
        elif isinstance(message, Transactions):
            for data in message.extrinsics:
                self._on_transaction(data)
        elif isinstance(message, SyncAsked):
            answer = SyncAnswered(message.number, self.sync.serve(message.request))
            self.simulation.network.send(self.index, sender, answer)
        elif isinstance(message, SyncAnswered):
            self.sync.on_answer(sender, message)

    def _on_transaction(self, data: bytes) -> None:
        try:
            self.pool.submit(data)
        except InvalidTransaction as error:
            if error.code not in SIGNED:
                return
        except PoolError as error:
            if not isinstance(error, Underpriced):
                return
        self.reporter.look_at(data)

    def on_peer(self, peer: Peer) -> None:
        """Take in who has connected, and what it said of itself."""
        if self.sync.banned(peer.index):
            return
        self.peers_by_index[peer.index] = peer
        self.abstention.on_peer(peer)  # type: ignore[arg-type]

    def peers(self) -> list[Peer]:
        """Return the connected peers."""
        return list(self.peers_by_index.values())

    def handshake(self) -> Peer:
        """Return what this node says of itself."""
        chain = self.chain
        return Peer(
            self.index,
            self.account,
            chain.final_number,
            chain.epoch_change.epoch,
            Beginning(chain).certificate(),
        )

    def _validate_transaction(self, data: bytes) -> ValidTransaction:
        chain = self.chain
        return chain.runtime.validate_transaction(
            chain.final_state(), chain.final, chain.genesis_hash, data, verified=self.pool.verified
        )

    def _on_final(self, blocks: Sequence[ExecutedBlock]) -> None:
        self.simulation.final(self, blocks)
        self.pool.on_final(blocks)
        for data in extrinsics_of(blocks):
            self.reporter.look_at(data)
        self.reporter.on_final()
        self.blobs.drop_before(max(0, self.view().round - KEEP_BLOBS_ROUNDS))
        self.worker.wake()

    def _gossip_soon(self) -> None:
        if not self._gossiping:
            self._gossiping = True
            self.later(GOSSIP_MS, self._gossip)

    def _gossip(self) -> None:
        self._gossiping = False
        while batch := self.pool.take_unpropagated():
            self.simulation.network.broadcast(self.index, Transactions(batch))

    # ---- sync

    def need_sync(self, hint: Any = None) -> None:
        """Fetch final blocks from the peers."""
        self.sync.need(hint)

    def serve_page(self, request: SyncRequest) -> SyncResponse:
        """Return the page that another one asks for."""
        return page(self.chain, request)

    # ---- for the worker

    def view(self) -> RoundView:
        """Return the round as the last final block has it."""
        chain = self.chain
        return self.simulation.runtime.view(
            chain.final_state(), chain.final_number, chain.final_hash, chain.genesis_hash
        )

    def serve_blob(self, name: bytes) -> bytes | None:
        """Return a blob if it may leave now."""
        meta = self.blobs.stat(name)
        if meta is None or not may_leave(meta.round, meta.visibility, self.view().state):
            return None
        return self.blobs.get(name)

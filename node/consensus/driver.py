"""The I/O around the consensus core: what the core asks for, carried out under trio.

One task takes events from the inbox, one at a time, and carries out the actions of each step in order
(node/consensus/types.py says what the order promises). Building and validating may have to wait for work or
for a block's time; they run as tasks of their own and answer with an event. What they do to chain and pool is
in executor.py.

A validator without a log first finds out how long it must abstain (node/consensus/abstention.py); until then it
follows the chain by sync alone.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import trio

from node.chain import Chain, UnknownParent
from node.chain_spec import ConsensusSpec
from node.consensus import types as t
from node.consensus.abstention import Abstention
from node.consensus.core import Core
from node.consensus.executor import AgreementFailed, Executor
from node.consensus.inbox import Inbox
from node.consensus.log import ConsensusLog, without_log
from node.consensus.scheme import Ed25519Scheme
from node.consensus.signing import log_for_call
from node.consensus.snapshot import AgreementSnapshot
from node.metrics.meter import NO_METER, Meter
from node.network import Network, Peer
from node.pool import TransactionPool
from node.storage.errors import StatePruned
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import ConsensusMessage
from runtime.blocks import header_hash
from runtime.codec import encode
from runtime.quorum import faulty

log = logging.getLogger("pocl.consensus")

WORK_POLL_S = 0.1
"""How often a leader without transactions looks whether the round has a deadline to act on."""

RESTORE_POLL_S = 0.2
"""How often peers are asked for final blocks that the database lost."""

CLOCK_OFFSET = "POCL_CLOCK_OFFSET_MS"
"""Environment variable for tests: so many ms are added to the wall clock."""

_BLAME_POINTS = 20


class ConsensusDriver:
    """Runs one validator's core until cancelled or until agreement fails.

    `need_sync` is called when final blocks are missing here, with the peer that seems to have them; `report`
    with every offence that the core finds. `meter` measures the time to finality and of signature checks.
    """

    def __init__(
        self,
        *,
        key: Keypair,
        log_file: Path,
        chain: Chain,
        pool: TransactionPool,
        network: Network,
        spec: ConsensusSpec,
        need_sync: Callable[[Peer | None], None],
        report: Callable[[t.Offence], None] = lambda offence: None,
        meter: Meter = NO_METER,
    ) -> None:
        self._key = key
        self._chain = chain
        self._pool = pool
        self._network = network
        self._spec = spec
        self._need_sync = need_sync
        self._report = report
        self._meter = meter
        self._executor = Executor(key.public, chain, pool, spec, now_ms)
        self._core: Core | None = None
        self._log_file = log_file
        # Before anything else can go wrong: a damaged log must stop the node at its start.
        self._journal = (
            ConsensusLog.open(log_file, chain.genesis_hash, key.public) if log_file.exists() else None
        )
        self._abstention = Abstention(key.public, chain, network, lambda: need_sync(None))
        self._inbox = Inbox(time.monotonic)
        self._arrived = trio.Event()
        self._work = trio.Event()
        self._timers: dict[t.TimerKind, trio.CancelScope] = {}
        self._building: trio.CancelScope | None = None
        # What waits for the time of a block ahead of the own clock.
        self._held: dict[bytes, trio.CancelScope] = {}
        self._proposed_at: dict[bytes, float] = {}
        self.finality_ms: deque[int] = deque(maxlen=4096)
        """Proposal to final, of the last blocks this node saw proposed."""

    @property
    def epoch(self) -> int:
        """The epoch this validator is in."""
        return self._chain.epoch_change.epoch if self._core is None else self._core.epoch.epoch

    def journal_for_call(self, round: int) -> ConsensusLog:
        """Return the log in which a call of a round is noted before it is signed. Raise CallWithheld."""
        return log_for_call(self._journal, self._core, self._chain, round)

    @property
    def view(self) -> int:
        """The view the core is in; 0 while there is none yet."""
        return 0 if self._core is None else self._core.view

    @property
    def leader(self) -> bytes:
        """The account that leads the present view; empty while there is none yet."""
        return b"" if self._core is None else self._core.leader

    @property
    def without_log(self) -> bool:
        """Whether this validator has no log yet, and so waits to hear how far the others are."""
        return self._journal is None

    def snapshot(self) -> AgreementSnapshot | None:
        """Return what the core knows; None while there is none yet."""
        return None if self._core is None else self._core.snapshot()

    def post(self, event: t.Event) -> None:
        """Give the core an event."""
        self._inbox.put(event)
        self._arrived.set()

    def on_peer(self, peer: Peer) -> None:
        """Take in who has connected, and what it said of itself."""
        if self._journal is None:
            self._abstention.on_peer(peer)

    def on_synced(self) -> None:
        """Tell the core that sync has imported final blocks."""
        self._let_go()
        if self._core is not None:
            self.post(self._executor.synced())

    def on_message(self, peer: Peer, message: ConsensusMessage) -> None:
        """Take in what a peer sent."""
        known = peer.validator is not None and peer.validator in self._chain.epoch_change.validators
        if self._core is not None:
            self._inbox.put_message(t.MessageReceived(message, peer, peer.validator), known)
            self._arrived.set()

    def work_arrived(self) -> None:
        """Tell a leader that waits for work that there may be some."""
        self._work.set()

    async def run(self) -> None:
        """Agree until cancelled. Raise AgreementFailed when the core halts."""
        if self._journal is None:
            epoch = await self._abstention.end()
            self._journal = ConsensusLog.create(
                self._log_file, self._chain.genesis_hash, self._key.public, epoch
            )
            if epoch > self.epoch:
                log.warning("no consensus log: this validator abstains until epoch %d", epoch)
                validators = self._chain.epoch_change.validators
                if self._key.public in validators and not faulty(len(validators)):
                    log.error(
                        "of %d validators the others are no quorum: %s", len(validators), without_log(3)
                    )
        await self._restore_database(self._journal)
        self._core = self._executor.open_core(Ed25519Scheme(self._key, self._meter.verify), self._journal)
        unsubscribe = self._pool.subscribe(lambda event: self.work_arrived())
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.post(t.Started())
                while True:
                    await self._step(self._core, self._journal)
        finally:
            unsubscribe()
            self._journal.close()

    async def _restore_database(self, journal: ConsensusLog) -> None:
        """Let sync bring a lost or older database back to where the log was cut (node/consensus/log.py)."""
        if len(self._chain.epoch_change.validators) == 1:
            return  # There is nobody to sync from: opening the core refuses.
        if self._executor.place() < journal.dropped:
            log.warning("the database is older than the consensus log: fetching final blocks before voting")
        while self._executor.place() < journal.dropped:
            self._need_sync(None)
            await trio.sleep(RESTORE_POLL_S)

    async def _step(self, core: Core, journal: ConsensusLog) -> None:
        while not self._inbox:
            self._arrived = trio.Event()
            await self._arrived.wait()
        for action in core.step(self._inbox.pop()):
            await self._perform(action, journal)
        # Many messages in a row must not keep the rest of the node waiting.
        await trio.lowlevel.checkpoint()

    async def _perform(self, action: t.Action, journal: ConsensusLog) -> None:
        match action:
            case t.Persist(records):
                # Shielded: a record half handed over to a thread must be on disk when this returns.
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(journal.append, records)
            case t.Broadcast(message):
                self._network.broadcast_consensus(encode(message))
            case t.Send(peer, message):
                assert isinstance(peer, Peer)
                self._network.send_consensus(peer, encode(message))
            case t.SetTimer(timer, delay_ms):
                self._set_timer(timer, delay_ms)
            case t.Build():
                self._start_build(action)
            case t.Validate():
                self._start_validate(action)
            case t.Notarized(block_hash):
                self._chain.set_best(block_hash)
            case t.Final():
                self._finalize(action)
            case t.Prune(epoch, view):
                await trio.to_thread.run_sync(journal.prune, epoch, view, self._executor.calls_kept())
            case t.NeedSync(peer, _):
                self._need_sync(peer if isinstance(peer, Peer) else None)
            case t.Blame(peer, reason):
                if isinstance(peer, Peer):
                    self._network.penalize(peer.peer_id, _BLAME_POINTS, reason)
            case t.Offence():
                self._report(action)
            case t.Halt(reason):
                raise AgreementFailed(f"consensus stopped: {reason}")

    def _set_timer(self, timer: t.Timer, delay_ms: int) -> None:
        before = self._timers.pop(timer.kind, None)
        if before is not None:
            before.cancel()
        scope = trio.CancelScope()
        self._timers[timer.kind] = scope
        self._nursery.start_soon(self._run_timer, timer, delay_ms, scope)

    async def _run_timer(self, timer: t.Timer, delay_ms: int, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep(delay_ms / 1000)
            self.post(t.TimerFired(timer))

    def _start_build(self, request: t.Build) -> None:
        if self._building is not None:
            self._building.cancel()
        self._building = trio.CancelScope()
        self._nursery.start_soon(self._build, request, self._building)

    async def _build(self, request: t.Build, scope: trio.CancelScope) -> None:
        with scope:
            try:
                await self._wait_for_work(request.parent_hash)
                built = self._executor.build(request)
            except (UnknownParent, StatePruned) as error:
                # While this leader waited for work, the others went on without it.
                log.info("view %d of epoch %d is over: %s", request.view, request.epoch, error)
                return
            self._proposed_at[header_hash(built.block.header)] = trio.current_time()
            self.post(built)

    async def _wait_for_work(self, parent_hash: bytes) -> None:
        """Return when a block on this parent is due. Raise UnknownParent or StatePruned when it never will be."""
        earliest_ms, latest_ms = self._executor.block_due(parent_hash)
        latest = trio.current_time() + latest_ms / 1000
        await trio.sleep(max(earliest_ms, 0) / 1000)
        found = self._executor.work(parent_hash)
        while trio.current_time() < latest:
            self._work = trio.Event()
            if found():
                return
            with trio.move_on_at(min(latest, trio.current_time() + WORK_POLL_S)):
                await self._work.wait()

    def _start_validate(self, request: t.Validate) -> None:
        self._proposed_at.setdefault(request.block_hash, trio.current_time())
        waiting = self._held.pop(request.block_hash, None)
        if waiting is not None:
            waiting.cancel()
        ahead_ms = self._executor.hold(request)
        if not ahead_ms:
            self.post(self._executor.validate(request))
            return
        scope = trio.CancelScope()
        self._held[request.block_hash] = scope
        self._nursery.start_soon(self._validate_when_due, request, ahead_ms, scope)

    async def _validate_when_due(self, request: t.Validate, ahead_ms: int, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep(ahead_ms / 1000)
            self._held.pop(request.block_hash, None)
            if self._executor.due(request.block_hash):
                self.post(self._executor.validate(request))

    def _finalize(self, action: t.Final) -> None:
        for executed in self._executor.finalize(action):
            proposed = self._proposed_at.pop(executed.hash, None)
            if proposed is not None:
                took_s = trio.current_time() - proposed
                self.finality_ms.append(round(took_s * 1000))
                self._meter.finality(took_s)
        self._let_go()
        # Blocks that never became final.
        while len(self._proposed_at) > 256:
            del self._proposed_at[next(iter(self._proposed_at))]

    def _let_go(self) -> None:
        """Stop waiting for the time of blocks in views that are over."""
        held = self._executor.let_go()
        for block_hash in self._held.keys() - set(held):
            self._held.pop(block_hash).cancel()


def now_ms() -> int:
    """Return the wall clock in Unix milliseconds, as block timestamps count (for tests: see CLOCK_OFFSET)."""
    return time.time_ns() // 1_000_000 + int(os.environ.get(CLOCK_OFFSET, "0"))

"""The I/O around the consensus core: what the core asks for, carried out under trio.

One task takes events from the inbox, one at a time, and carries out the actions of each step in order
(node/consensus/types.py says what the order promises). Building and validating may have to wait for work or
for a block's time; they run as tasks of their own and answer with an event.

A leader builds at once when there is work: transactions, or something the round is waiting for. Without work
it builds at the heartbeat. Never sooner than the block interval after the parent.

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
from node.consensus.inbox import Inbox
from node.consensus.log import ConsensusLog
from node.consensus.scheme import Ed25519Scheme
from node.consensus.snapshot import AgreementSnapshot
from node.consensus.timing import Timing
from node.errors import PoclError
from node.network import Network, Peer
from node.pool import TransactionPool
from node.storage.errors import StatePruned
from pallets.round.work import needs_block
from pocl.extrinsics import extrinsic_hash
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import ConsensusMessage
from runtime.blocks import ExecutedBlock, header_hash
from runtime.codec import encode
from runtime.execution import DoesNotFit
from runtime.frame import InvalidBlock, InvalidTransaction, RuntimeFault
from runtime.transactions import CallDefect

log = logging.getLogger("pocl.consensus")

WORK_POLL_S = 0.1
"""How often a leader without transactions looks whether the round has a deadline to act on."""

RESTORE_POLL_S = 0.2
"""How often peers are asked for final blocks that the database lost."""

CLOCK_OFFSET = "POCL_CLOCK_OFFSET_MS"
"""Environment variable for tests: so many ms are added to the wall clock."""

_BLAME_POINTS = 20


class AgreementFailed(PoclError):
    """Agreement cannot go on: the node must stop."""


class ConsensusDriver:
    """Runs one validator's core until cancelled or until agreement fails.

    `need_sync` is called when final blocks are missing here, with the peer that seems to have them; `report`
    with every offence that the core finds.
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
    ) -> None:
        self._key = key
        self._chain = chain
        self._pool = pool
        self._network = network
        self._spec = spec
        self._need_sync = need_sync
        self._report = report
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
        # Blocks ahead of the own clock, with their epoch and view.
        self._held: dict[bytes, tuple[tuple[int, int], trio.CancelScope]] = {}
        self._proposed_at: dict[bytes, float] = {}
        self.finality_ms: deque[int] = deque(maxlen=4096)
        """Proposal to final, of the last blocks this node saw proposed."""

    @property
    def epoch(self) -> int:
        """The epoch this validator is in."""
        return self._chain.epoch_change.epoch if self._core is None else self._core.epoch.epoch

    @property
    def abstains(self) -> bool:
        """Whether this validator may have signed what it does not know of: it lost its log, or is new."""
        return self._journal is None or self.epoch < self._journal.abstain_until

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
        self._abstention.on_peer(peer)

    def on_synced(self) -> None:
        """Tell the core that sync has imported final blocks."""
        self._let_go()
        if self._core is not None:
            self.post(t.Synced(self._final_block(), self._epoch_info()))

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
        await self._restore_database(self._journal)
        info, final = self._epoch_info(), self._final_block()
        self._core = Core(
            scheme=Ed25519Scheme(self._key),
            timing=_timing(self._spec),
            genesis_hash=self._chain.genesis_hash,
            epoch=info,
            final=final,
            records=self._journal.records,
            abstain_until=self._journal.abstain_until,
        )
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
            journal.require(*self._place())
        elif self._place() < journal.dropped:
            log.warning("the database is older than the consensus log: fetching final blocks before voting")
        while self._place() < journal.dropped:
            self._need_sync(None)
            await trio.sleep(RESTORE_POLL_S)

    def _place(self) -> tuple[int, int]:
        """Return the epoch that builds on the last final block, and the view of that block's certificate in it."""
        info, final = self._epoch_info(), self._final_block()
        certificate = None if final.hash == info.opening_hash else final.certificate
        return info.epoch, 0 if certificate is None else certificate.view

    def _final_block(self) -> t.FinalBlock:
        chain = self._chain
        justification = chain.justification(chain.final_number)
        certificate = None if justification is None else justification.certificate
        return t.FinalBlock(chain.final_hash, chain.final_number, certificate)

    def _epoch_info(self) -> t.EpochInfo:
        """Return the epoch that builds on the last final block."""
        change = self._chain.epoch_change
        for number in range(self._chain.final_number, -1, -1):
            header = self._chain.database.header(number)
            if header is not None and header.next_epoch.epoch == change.epoch:
                return t.EpochInfo.from_change(change, header_hash(header), number)
        raise AgreementFailed(f"the database has no closing block before epoch {change.epoch}")

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
                await trio.to_thread.run_sync(journal.prune, epoch, view)
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
                executed = await self._make_block(request)
            except (UnknownParent, StatePruned) as error:
                # While this leader waited for work, the others went on without it.
                log.info("view %d of epoch %d is over: %s", request.view, request.epoch, error)
                return
            self._proposed_at[executed.hash] = trio.current_time()
            self.post(t.Built(request.epoch, request.view, executed.block))

    async def _make_block(self, request: t.Build) -> ExecutedBlock:
        parent = self._chain.header(request.parent_hash)
        if parent is None:
            raise UnknownParent(f"block 0x{request.parent_hash.hex()} was on a fork that is dropped")
        await self._wait_for_work(request.parent_hash, parent.timestamp_ms)
        return self._chain.propose(
            request.parent_hash,
            epoch=request.epoch,
            view=request.view,
            timestamp_ms=max(now_ms(), parent.timestamp_ms + 1),
            author=self._key.public,
            extrinsics=self._candidates(request.parent_hash),
            verified=self._pool.verified,
            on_refused=self._on_refused,
        )

    def _on_refused(self, extrinsic: bytes, error: RuntimeFault) -> None:
        """Take an extrinsic that cannot be included out of the pool, so that it is not taken for work again."""
        # What comes too early waits for an earlier one of its sender, which did not fit.
        early = isinstance(error, InvalidTransaction) and error.code == "future"
        if early or isinstance(error, DoesNotFit):
            return
        if isinstance(error, CallDefect):
            log.error("a defect in a call", exc_info=error.__cause__)
        self._pool.remove(extrinsic_hash(extrinsic), str(error))

    async def _wait_for_work(self, parent_hash: bytes, parent_ms: int) -> None:
        """Return when a block on this parent is due."""
        # A parent from a clock ahead of ours, or from long ago, must not make us wait longer than the heartbeat.
        age_s = min(max(now_ms() - parent_ms, 0) / 1000, self._spec.heartbeat_ms / 1000)
        earliest = trio.current_time() + self._spec.block_interval_ms / 1000 - age_s
        latest = trio.current_time() + self._spec.heartbeat_ms / 1000 - age_s
        await trio.sleep_until(earliest)
        pallets = self._chain.pallets(self._chain.state_after(parent_hash))
        while trio.current_time() < latest:
            self._work = trio.Event()
            if next(iter(self._candidates(parent_hash)), None) is not None:
                return
            if needs_block(pallets, max(now_ms(), parent_ms + 1)):
                return
            with trio.move_on_at(min(latest, trio.current_time() + WORK_POLL_S)):
                await self._work.wait()

    def _candidates(self, parent_hash: bytes) -> list[bytes]:
        """Return what a block on this parent should include, best first."""
        included: set[bytes] = set()
        block_hash = parent_hash
        while (executed := self._chain.executed(block_hash)) is not None:
            included.update(extrinsic_hash(data) for data in executed.block.extrinsics)
            block_hash = executed.header.parent_hash
        return [entry.data for entry in self._pool.ready(exclude=included)]

    def _start_validate(self, request: t.Validate) -> None:
        self._proposed_at.setdefault(request.block_hash, trio.current_time())
        held = self._held.pop(request.block_hash, None)
        if held is not None:
            held[1].cancel()
        ahead_ms = request.block.header.timestamp_ms - now_ms()
        if request.certified or ahead_ms <= 0:
            self._validate(request)
            return
        scope = trio.CancelScope()
        header = request.block.header
        self._held[request.block_hash] = ((header.epoch, header.view), scope)
        self._nursery.start_soon(self._validate_when_due, request, ahead_ms, scope)

    async def _validate_when_due(self, request: t.Validate, ahead_ms: int, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep(ahead_ms / 1000)
            self._held.pop(request.block_hash, None)
            self._validate(request)

    def _validate(self, request: t.Validate) -> None:
        try:
            self._chain.import_block(request.block, verified=self._pool.verified)
        except (InvalidBlock, UnknownParent) as error:
            self.post(t.Validated(request.block_hash, False, str(error)))
        else:
            self.post(t.Validated(request.block_hash, True))

    def _finalize(self, action: t.Final) -> None:
        if self._chain.final_number >= action.number:
            return
        for executed in self._chain.finalize(action.block_hash, action.certificate):
            proposed = self._proposed_at.pop(executed.hash, None)
            if proposed is not None:
                self.finality_ms.append(round((trio.current_time() - proposed) * 1000))
        self._let_go()
        # Blocks that never became final.
        while len(self._proposed_at) > 256:
            del self._proposed_at[next(iter(self._proposed_at))]

    def _let_go(self) -> None:
        """Forget the blocks held for their time in views that are over: their time may never come."""
        final = self._chain.final
        for block_hash, (place, scope) in list(self._held.items()):
            if place <= (final.epoch, final.view):
                scope.cancel()
                del self._held[block_hash]


def _timing(spec: ConsensusSpec) -> Timing:
    return Timing(
        leader_ms=spec.leader_timeout_ms,
        view_ms=spec.view_timeout_ms,
        max_ms=spec.max_timeout_ms,
        # A view without work lasts a heartbeat: only beyond that it stands still.
        stall_ms=spec.heartbeat_ms + 2 * spec.block_interval_ms,
    )


def now_ms() -> int:
    """Return the wall clock in Unix milliseconds, as block timestamps count (for tests: see CLOCK_OFFSET)."""
    return time.time_ns() // 1_000_000 + int(os.environ.get(CLOCK_OFFSET, "0"))

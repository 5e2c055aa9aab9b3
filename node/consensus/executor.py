"""What the core asks of a validator's chain and pool, carried out without I/O, tasks or a clock of its own.

The driver (driver.py) does the waiting and the sending around it; the simulation of whole networks
(tests/simulation/whole) does so in virtual time, with the same code here.

Rules:
- a leader's block comes not sooner than the block interval after its parent, at once when there is work
  (transactions, or something the round waits for), and at the heartbeat without;
- where the interval is short, a crowd waits longer: 2.5 ms for each extrinsic of the block before, up to 250 ms.
  A block has costs of its own, which few extrinsics an instant do not feel and many would rather share;
- it includes what the pool has ready and no block between the last final one and it includes already. What no
  block may include leaves the pool; what does not fit, or waits for what does not fit, stays;
- a block ahead of the own clock is *held* until it is due, unless a quorum has voted for it. What is held for a
  view that is over is let go: its time may never come.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from node.chain import Chain, UnknownParent
from node.chain_spec import ConsensusSpec
from node.consensus import types as t
from node.consensus.core import Core
from node.consensus.log import ConsensusLog
from node.consensus.scheme import SignatureScheme
from node.consensus.timing import Timing
from node.errors import PoclError
from node.pool import TransactionPool
from pallets.round.work import needs_block
from pallets.validators import Validators
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Header
from runtime.blocks import ExecutedBlock, header_hash
from runtime.execution import DoesNotFit
from runtime.frame import InvalidBlock, InvalidTransaction, RuntimeFault
from runtime.transactions import CallDefect

log = logging.getLogger("pocl.consensus")


_CROWD_MS = 250


class AgreementFailed(PoclError):
    """Agreement cannot go on: the node must stop."""


class Executor:
    """One validator's chain and pool, as its core needs them. `now_ms` is the wall clock in Unix milliseconds."""

    def __init__(
        self,
        account: bytes,
        chain: Chain,
        pool: TransactionPool,
        spec: ConsensusSpec,
        now_ms: Callable[[], int],
    ) -> None:
        self._account = account
        self._chain = chain
        self._pool = pool
        self._spec = spec
        self._now_ms = now_ms
        # Blocks ahead of the own clock, with their epoch and view.
        self._held: dict[bytes, tuple[int, int]] = {}
        # The block executed last, and how many extrinsics it has.
        self._newest: tuple[bytes, int] = (b"", 0)

    # Where agreement stands.

    def open_core(
        self, scheme: SignatureScheme, journal: ConsensusLog, core_class: type[Core] = Core
    ) -> Core:
        """Return the core that goes on from the database and the log.

        Raise NodeStartError when the log has dropped what the database does not show.
        """
        journal.require(*self.place())
        return core_class(
            scheme=scheme,
            timing=_timing(self._spec),
            genesis_hash=self._chain.genesis_hash,
            epoch=self.epoch_info(),
            final=self.final_block(),
            records=journal.records,
            abstain_until=journal.abstain_until,
        )

    def place(self) -> tuple[int, int]:
        """Return the epoch that builds on the last final block, and the view of that block's certificate in it."""
        info, final = self.epoch_info(), self.final_block()
        certificate = None if final.hash == info.opening_hash else final.certificate
        return info.epoch, 0 if certificate is None else certificate.view

    def calls_kept(self) -> int:
        """Return how many rounds back the log keeps the calls that it noted: evidence of them is taken."""
        validators = cast(Validators, self._chain.pallets(self._chain.final_state())[Validators.name])
        return int(validators.Config.get().unbonding_epochs) + 1

    def synced(self) -> t.Synced:
        """Return what the core must hear of final blocks that came by sync, and let go what they overtook."""
        self.let_go()
        return t.Synced(self.final_block(), self.epoch_info())

    def final_block(self) -> t.FinalBlock:
        """Return the last final block."""
        chain = self._chain
        justification = chain.justification(chain.final_number)
        certificate = None if justification is None else justification.certificate
        return t.FinalBlock(chain.final_hash, chain.final_number, certificate)

    def epoch_info(self) -> t.EpochInfo:
        """Return the epoch that builds on the last final block."""
        change = self._chain.epoch_change
        for number in range(self._chain.final_number, -1, -1):
            header = self._chain.database.header(number)
            if header is not None and header.next_epoch.epoch == change.epoch:
                return t.EpochInfo.from_change(change, header_hash(header), number)
        raise AgreementFailed(f"the database has no closing block before epoch {change.epoch}")

    # Building: each raises UnknownParent or StatePruned when the others went on without that parent.

    def block_due(self, parent_hash: bytes) -> tuple[int, int]:
        """Return in how many ms a block on this parent may come, with work, and must, without."""
        parent_ms = self._header(parent_hash).timestamp_ms
        # A parent from a clock ahead of ours, or from long ago, must not make us wait longer than the heartbeat.
        age_ms = min(max(self._now_ms() - parent_ms, 0), self._spec.heartbeat_ms)
        crowd = self._newest[1] if self._newest[0] == parent_hash else 0
        interval_ms = max(self._spec.block_interval_ms, min(crowd * 5 // 2, _CROWD_MS))
        return min(interval_ms, self._spec.heartbeat_ms) - age_ms, self._spec.heartbeat_ms - age_ms

    def work(self, parent_hash: bytes) -> Callable[[], bool]:
        """Return a function that tells whether there is work for a block on this parent."""
        parent_ms = self._header(parent_hash).timestamp_ms
        pallets = self._chain.pallets(self._chain.state_after(parent_hash))

        def found() -> bool:
            if next(self.candidates(parent_hash), None) is not None:
                return True
            return needs_block(pallets, max(self._now_ms(), parent_ms + 1))

        return found

    def candidates(self, parent_hash: bytes) -> Iterator[bytes]:
        """Return what a block on this parent should include, best first, as the pool is now."""
        included: set[bytes] = set()
        block_hash = parent_hash
        while (executed := self._chain.executed(block_hash)) is not None:
            included.update(extrinsic_hash(data) for data in executed.block.extrinsics)
            block_hash = executed.header.parent_hash
        return (entry.data for entry in self._pool.ready(exclude=included))

    def build(self, request: t.Build) -> t.Built:
        """Build the block."""
        executed = self._chain.propose(
            request.parent_hash,
            epoch=request.epoch,
            view=request.view,
            timestamp_ms=max(self._now_ms(), self._header(request.parent_hash).timestamp_ms + 1),
            author=self._account,
            extrinsics=self.candidates(request.parent_hash),
            verified=self._pool.verified,
            on_refused=self.on_refused,
        )
        self._newest = executed.hash, len(executed.block.extrinsics)
        return t.Built(request.epoch, request.view, executed.block)

    def on_refused(self, extrinsic: bytes, error: RuntimeFault) -> None:
        """Take an extrinsic that cannot be included out of the pool, so that it is not taken for work again."""
        # What comes too early waits for an earlier one of its sender, which did not fit.
        early = isinstance(error, InvalidTransaction) and error.code == "future"
        if early or isinstance(error, DoesNotFit):
            return
        if isinstance(error, CallDefect):
            log.error("a defect in a call", exc_info=error.__cause__)
        self._pool.remove(extrinsic_hash(extrinsic), str(error))

    def _header(self, block_hash: bytes) -> Header:
        header = self._chain.header(block_hash)
        if header is None:
            raise UnknownParent(f"block 0x{block_hash.hex()} has been dropped")
        return header

    # Validating.

    def hold(self, request: t.Validate) -> int:
        """Return in how many ms a block is due. Above 0 it is held; when it is due, ask `due` before `validate`."""
        self._held.pop(request.block_hash, None)
        header = request.block.header
        ahead_ms = header.timestamp_ms - self._now_ms()
        if request.certified or ahead_ms <= 0:
            return 0
        self._held[request.block_hash] = (header.epoch, header.view)
        return ahead_ms

    def due(self, block_hash: bytes) -> bool:
        """Take a held block back; False when it was let go, or not waited for any more."""
        return self._held.pop(block_hash, None) is not None

    def validate(self, request: t.Validate) -> t.Validated:
        """Execute a block on its parent."""
        try:
            executed = self._chain.import_block(request.block, verified=self._pool.verified)
        except (InvalidBlock, UnknownParent) as error:
            return t.Validated(request.block_hash, False, str(error))
        self._newest = executed.hash, len(executed.block.extrinsics)
        return t.Validated(request.block_hash, True)

    # Finality.

    def finalize(self, action: t.Final) -> Sequence[ExecutedBlock]:
        """Commit a block and its ancestors; return those that became final."""
        if self._chain.final_number >= action.number:
            return ()
        path = self._chain.finalize(action.block_hash, action.certificate)
        self.let_go()
        return path

    def let_go(self) -> list[bytes]:
        """Forget the blocks held for views that are over; return those that are still held."""
        final = self._chain.final
        self._held = {
            block_hash: place for block_hash, place in self._held.items() if place > (final.epoch, final.view)
        }
        return list(self._held)


def _timing(spec: ConsensusSpec) -> Timing:
    return Timing(
        leader_ms=spec.leader_timeout_ms,
        view_ms=spec.view_timeout_ms,
        max_ms=spec.max_timeout_ms,
        # A view without work lasts a heartbeat: only beyond that it stands still.
        stall_ms=spec.heartbeat_ms + 2 * spec.block_interval_ms,
    )

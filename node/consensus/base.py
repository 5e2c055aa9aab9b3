"""What a core holds, and the small things that all rules use: timers, the log, asking for what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from node.consensus import catch_up
from node.consensus.blocks import BlockTree
from node.consensus.certificates import CertificateBook, Justification
from node.consensus.epoch_state import EpochState
from node.consensus.intake import MAX_MISSING
from node.consensus.leaders import leader
from node.consensus.outbox import Outbox
from node.consensus.restore import restore, split_records
from node.consensus.scheme import SignatureScheme
from node.consensus.snapshot import AgreementSnapshot, take
from node.consensus.timing import Timing
from node.consensus.types import (
    Broadcast,
    EpochInfo,
    FinalBlock,
    NeedSync,
    Peer,
    Send,
    SetTimer,
    Timer,
    TimerKind,
)
from node.consensus.votes import VoteBook
from pocl.v1.consensus_pb2 import NULLIFY, CatchUpRequest, Certificate, ConsensusMessage, Proposal


class CoreState:
    """One validator's, or one follower's, state. `final` is the last final block on disk, `epoch` the one
    that builds on it, `records` what the log holds; the first event is `Started`.
    """

    def __init__(
        self,
        scheme: SignatureScheme,
        timing: Timing,
        genesis_hash: bytes,
        epoch: EpochInfo,
        final: FinalBlock,
        records: Iterable[ConsensusMessage],
        abstain_until: int,
    ) -> None:
        self._scheme = scheme
        self._timing = timing
        self._genesis_hash = genesis_hash
        self._abstain_until = abstain_until
        self._outbox = Outbox()
        self._logged = split_records(records)
        self._choice: Justification | None = None
        self._best_view = (0, 0)
        self.nullified_views = 0
        """Views that a quorum gave up, as far as this node heard of it since its start."""
        self._begin(epoch, final)

    @property
    def epoch(self) -> EpochInfo:
        """The current epoch."""
        return self._state.info

    @property
    def view(self) -> int:
        """The current view of the epoch."""
        return self._state.view

    @property
    def leader(self) -> bytes:
        """The account that leads the current view."""
        return leader(self._state.info, self._state.view)

    @property
    def final_number(self) -> int:
        """The height of the last block that was made final here."""
        return self._tree.root_number

    @property
    def voting(self) -> bool:
        """Whether this node votes and proposes in the current epoch: a member that does not abstain."""
        return self._state.index is not None and self._state.info.epoch >= self._abstain_until

    def snapshot(self) -> AgreementSnapshot:
        """Return what is known here, for people."""
        return take(
            self._state,
            self.leader,
            voting=self.voting,
            abstain_until=self._abstain_until,
            nullified_views=self.nullified_views,
        )

    def _may_propose(self) -> bool:
        """Whether we lead the current view and have neither proposed nor given up in it (rules 2 and 11)."""
        state = self._state
        return (
            self.voting
            and self.leader == self._scheme.account
            and state.view > state.barred_view
            and state.view not in state.proposals
            and state.own(state.view, NULLIFY) is None
        )

    def _set_timers(self) -> None:
        state = self._state
        for kind, timeout in (
            (TimerKind.LEADER, self._timing.leader_timeout(state.view, state.final_view)),
            (TimerKind.VIEW, self._timing.view_timeout(state.view, state.final_view)),
        ):
            self._outbox.do(SetTimer(Timer(kind, state.info.epoch, state.view), timeout))
        self._set_stall_timer()

    def _set_stall_timer(self) -> None:
        state = self._state
        longest = self._timing.view_timeout(state.view, state.final_view)
        delay = min(self._timing.stall_ms << min(state.stalls, 16), longest)
        self._outbox.do(SetTimer(Timer(TimerKind.STALL, state.info.epoch, state.view), delay))

    def _log_certificate(self, certificate: Certificate) -> None:
        key = (certificate.view, int(certificate.kind))
        if self.voting and key not in self._state.logged:
            self._state.logged.add(key)
            self._outbox.persist(certificate)

    def _log_proposal(self, proposal: Proposal) -> None:
        if (proposal.view, 0) not in self._state.logged:
            self._state.logged.add((proposal.view, 0))
            self._outbox.persist(proposal)

    def _missing(self) -> list[bytes]:
        """Return the hashes of certified blocks that are lacking, those first that others wait for."""
        state = self._state
        wanted = []
        if state.uncommitted is not None:
            wanted.append(state.uncommitted.block_hash)
        best = state.certificates.best()
        if best is not None:
            wanted.append(best.block_hash)
        proposal = state.proposals.get(state.view)
        if proposal is not None:
            wanted.append(self._parent_of(proposal))
        missing = (self._tree.missing_ancestor(block_hash) for block_hash in wanted)
        return list(dict.fromkeys(block_hash for block_hash in missing if block_hash is not None))

    def _ask(self, peer: Peer) -> None:
        """Ask for missing blocks at once, if something waits for them; otherwise they may be on their way."""
        state = self._state
        waits = state.view in state.proposals or self._may_propose() or state.uncommitted is not None
        if waits:
            missing = [block_hash for block_hash in self._missing() if block_hash not in state.requested]
            if missing:
                state.requested.update(missing)
                self._outbox.do(Send(peer, self._request(missing)))

    def _request(self, missing: list[bytes]) -> ConsensusMessage:
        state = self._state
        request = CatchUpRequest(epoch=state.info.epoch, view=state.view, missing=missing[:MAX_MISSING])
        return ConsensusMessage(catch_up=request)

    def _resend(self) -> None:
        """Rule 10."""
        for message in catch_up.known(self._state):
            self._outbox.broadcast(message)
        self._outbox.do(Broadcast(self._request(self._missing())))
        if self._state.uncommitted is not None:
            self._hint_sync(None, self._state.info.epoch)

    def _hint_sync(self, peer: Peer | None, epoch: int) -> None:
        if not self._state.sync_hinted:
            self._state.sync_hinted = True
            self._outbox.do(NeedSync(peer, epoch))

    def _begin(self, epoch: EpochInfo, final: FinalBlock) -> None:
        """Rules 9 and 11: a fresh state of the epoch, and what the log says of it."""
        opening = final.hash == epoch.opening_hash
        self._tree = BlockTree(final.hash, final.number)
        self._choice = None
        self._state = EpochState(
            info=epoch,
            index=epoch.index(self._scheme.account),
            votes=VoteBook(epoch, self._genesis_hash, self._scheme, self._outbox),
            certificates=CertificateBook(epoch.opening_hash),
            opening_certificate=final.certificate if opening else None,
        )
        if not opening:
            if final.certificate is None:
                raise ValueError(
                    f"final block {final.number} of epoch {epoch.epoch} comes without certificate"
                )
            self._state.certificates.add(final.certificate)
            self._state.finalize(final.certificate)
            self._state.view = final.certificate.view + 1
            if final.certificate.block_hash != final.hash:
                self._state.uncommitted = final.certificate
        restore(self._state, self._tree, self._logged.pop(epoch.epoch, ()))
        self._logged = {of: records for of, records in self._logged.items() if of > epoch.epoch}

    def _parent_of(self, proposal: Proposal) -> bytes:
        """Return the hash of the block that the proposal rests on."""
        if proposal.parent_view == 0:
            return self._state.info.opening_hash
        return proposal.parent_certificate.block_hash

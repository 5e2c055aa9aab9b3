"""What follows from what: certificates, views, own votes, proposals, finality (the rules of core.py)."""

from __future__ import annotations

from node.consensus.base import CoreState
from node.consensus.blocks import Status
from node.consensus.certificates import Contradiction, Justification
from node.consensus.intake import header_fault
from node.consensus.types import (
    Build,
    Final,
    FinalBlock,
    Notarized,
    Peer,
    Prune,
    Validate,
)
from node.consensus.votes import KINDS
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, Proposal, Vote, VoteKind
from runtime.blocks import header_hash
from runtime.certificates import proposal_message, vote_message


class Agreement(CoreState):
    """Draws the conclusions; what comes from outside was checked before (core.py)."""

    # ---- certificates and views

    def _add_certificate(self, certificate: Certificate, peer: Peer | None) -> None:
        """Rules 6 to 8: what follows from a valid certificate of this epoch."""
        state, view = self._state, certificate.view
        if view < state.final_view or not state.certificates.add(certificate):
            return
        if certificate.kind != NULLIFY:
            self._adopt(view, certificate.block_hash)
        else:
            self.nullified_views += 1
        if certificate.kind == NOTARIZE:
            self._finalize(view, certificate)
        elif certificate.kind == FINALIZE and view > state.final_view:
            state.finalize(certificate)
            state.uncommitted = certificate
            if not self._tree.known(certificate.block_hash):
                self._hint_sync(peer, certificate.epoch)
        if view >= state.view:
            self._enter(view + 1, certificate)

    def _adopt(self, view: int, block_hash: bytes) -> None:
        """A quorum stands behind a block: hold it, and let nobody hold it back."""
        state = self._state
        if state.proposed.get(view) == block_hash:
            self._tree.add(state.proposals[view].block, block_hash)
        candidate = self._tree.get(block_hash)
        if candidate is None:
            return
        if candidate.status is Status.INVALID:
            raise Contradiction(f"block {block_hash.hex()} is notarized by a quorum and invalid here")
        if candidate.status is Status.CHECKING and not candidate.urgent:
            candidate.urgent = True
            self._outbox.do(Validate(candidate.block, block_hash, certified=True))

    def _count(self, view: int, kind: VoteKind) -> None:
        """Turn votes into a certificate when they are enough."""
        if self._state.certificates.get(view, kind) is None:
            certificate = self._state.votes.certificate(view, kind)
            if certificate is not None:
                self._add_certificate(certificate, None)

    def _enter(self, view: int, certificate: Certificate) -> None:
        """Rule 1."""
        self._state.enter(view)
        self._log_certificate(certificate)
        self._outbox.broadcast(certificate)
        self._set_timers()

    # ---- own votes

    def _nullify(self, view: int) -> None:
        """Rule 5."""
        if self._state.may_nullify(view):
            self._cast(NULLIFY, view, b"")

    def _finalize(self, view: int, notarization: Certificate) -> None:
        """Rule 7."""
        if self._state.may_finalize(view):
            self._log_certificate(notarization)
            self._cast(FINALIZE, view, notarization.block_hash)

    def _cast(self, kind: VoteKind, view: int, block_hash: bytes) -> None:
        state = self._state
        if state.index is None or not self.voting:
            return
        message = vote_message(self._genesis_hash, state.info.epoch, view, kind, block_hash)
        vote = Vote(
            epoch=state.info.epoch,
            view=view,
            kind=kind,
            block_hash=block_hash,
            validator=state.index,
            signature=self._scheme.sign(message),
        )
        self._outbox.persist(vote)
        self._outbox.broadcast(vote)
        state.votes.add_own(vote)
        self._count(view, kind)

    # ---- what may be possible after any event

    def _settle(self, peer: Peer | None) -> None:
        """Do all that has become possible, until nothing moves any more."""
        while True:
            before = (self._state, self._state.view, self._tree.root_hash)
            self._commit()
            self._propose()
            self._judge()
            if before == (self._state, self._state.view, self._tree.root_hash):
                break
        self._execute()
        self._announce_best()
        if peer is not None:
            self._ask(peer)

    def _commit(self) -> None:
        """Rules 8 and 9, as soon as the block is executed here, or was committed by sync."""
        state, certificate = self._state, self._state.uncommitted
        if certificate is None or not self._tree.valid(certificate.block_hash):
            return
        state.uncommitted = None
        candidate = self._tree.get(certificate.block_hash)
        if candidate is not None:
            self._outbox.do(Final(candidate.hash, candidate.number, certificate))
            if candidate.closing:
                next_epoch = candidate.next_epoch()
                self._begin(next_epoch, FinalBlock(candidate.hash, candidate.number, certificate))
                self._outbox.broadcast(certificate)
                self._resume()
            else:
                self._tree.set_root(candidate.hash, candidate.number)
        self._outbox.do(Prune(self._state.info.epoch, self._state.final_view))

    def _propose(self) -> None:
        """Rules 2 and 3."""
        state = self._state
        if state.asked_view >= state.view or not self._may_propose():
            return
        choice = state.certificates.justify(state.view)
        if choice is None or not self._tree.valid(choice.parent_hash):
            return
        state.asked_view = state.view
        parent = self._tree.get(choice.parent_hash)
        if parent is not None and parent.closing:
            self._publish(parent.block, choice)
        else:
            self._choice = choice
            self._outbox.do(Build(state.info.epoch, state.view, choice.parent_hash))

    def _publish(self, block: Block, choice: Justification) -> None:
        state = self._state
        block_hash = header_hash(block.header)
        message = proposal_message(
            self._genesis_hash, state.info.epoch, state.view, block_hash, choice.parent_view
        )
        proposal = Proposal(
            epoch=state.info.epoch,
            view=state.view,
            block=block,
            parent_view=choice.parent_view,
            parent_certificate=choice.certificate,
            nullifications=choice.nullifications,
            signature=self._scheme.sign(message),
        )
        state.place(proposal, block_hash)
        self._tree.add(block, block_hash, Status.VALID)
        self._log_proposal(proposal)
        self._outbox.broadcast(proposal)

    def _judge(self) -> None:
        """Rules 4 and 5, for the proposal of the current view."""
        state = self._state
        proposal = state.proposals.get(state.view)
        if proposal is None or not state.may_notarize(state.view):
            return
        block_hash, parent_hash = state.proposed[state.view], self._parent_of(proposal)
        if not self._tree.valid(parent_hash):
            return
        closes = self._tree.closes(parent_hash)
        if header_fault(proposal, block_hash, parent_hash, closes, self.leader) is not None:
            self._nullify(state.view)
            return
        self._tree.add(proposal.block, block_hash)
        candidate = self._tree.get(block_hash)
        if candidate is None or candidate.status is Status.INVALID:
            self._nullify(state.view)
        elif candidate.status is Status.VALID and self.voting:
            self._log_proposal(proposal)
            self._cast(NOTARIZE, state.view, block_hash)

    def _execute(self) -> None:
        """Have the blocks executed whose parent is."""
        for candidate in self._tree.ready():
            candidate.status = Status.CHECKING
            candidate.urgent = self._state.certificates.certifies(candidate.hash)
            self._outbox.do(Validate(candidate.block, candidate.hash, certified=candidate.urgent))

    def _announce_best(self) -> None:
        best = self._state.certificates.best()
        if best is None or (best.epoch, best.view) <= self._best_view:
            return
        if self._tree.valid(best.block_hash) and self._tree.root_hash != best.block_hash:
            self._best_view = (best.epoch, best.view)
            self._outbox.do(Notarized(best.block_hash))

    def _resume(self) -> None:
        """Draw the conclusions from what an epoch begins with, and send what there is to send."""
        state = self._state
        for certificate in state.certificates:
            if certificate.kind == NOTARIZE:
                self._finalize(certificate.view, certificate)
            elif certificate.kind == FINALIZE and certificate.view > state.final_view:
                state.finalize(certificate)
                state.uncommitted = certificate
        for view in state.votes.views():
            for kind in KINDS:
                self._count(view, kind)
        self._set_timers()
        if state.barred_view > 0:
            self._resend()

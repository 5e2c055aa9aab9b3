"""The Simplex core: one validator's part in agreement, without I/O, clock or randomness.

The rules, for one validator in one epoch. Views count 1, 2, 3, ...; a quorum is floor(2n/3) + 1 of the
epoch's n validators; a certificate is a quorum of equal votes. "Sent" always means: logged and synced before.

 1. Entering view v, set a timer for the leader's proposal and a longer one for leaving the view (timing.py),
    and send once the certificate that leads here.
 2. The leader of v (leaders.py) proposes one block, on the block notarized in the highest view u < v such that
    every view between u and v is nullified, and shows these certificates. u = 0 is the epoch's opening block.
 3. If that block closes the epoch, nothing extends it: the leader proposes the same block again, unchanged,
    and its header keeps the view of its first proposal.
 4. Notarize the first proposal of v if it is valid: signed by v's leader, justified by rule 2, by rule 3 the
    same block or by its header a child of that parent, of this epoch and view and by this leader, and executed
    with all roots equal. Never in a view other than the current one, never twice in a view, never after
    nullifying it.
 5. Nullify v when a timer of rule 1 fires (the first one only if there is no proposal) or the proposal is
    invalid: only in the current view, once, and never after finalizing it. Notarize and nullify in one view is
    legal, in this order.
 6. A notarization or nullification of v leads to view v + 1, whatever the views between (the certificate shows
    that a quorum has been there).
 7. On a notarization of v, in time or late, send finalize for v, unless v was nullified here.
 8. A finalize certificate of v makes v's block and all its ancestors final. No view below v matters any more.
 9. When the closing block is final, the next epoch begins: view 1, the set and leaders it announces.
10. A view that does not move for a while: send again what is known of it, others' votes included, what leads to
    it, and where one stands; whoever is further answers (catch_up.py).
11. After a restart (the log, log.py): everything sent counts as sent, the view is at least the highest logged
    one, and nothing is proposed in that one or below. Without a log: no votes and no proposals before the
    epoch that `abstain_until` names.

Why it is safe: if v was finalized by a quorum, more than f honest validators will never have nullified v, so
no nullification of v exists, every later proposal builds on v's block or on one above it, and v has no other
notarized block since any two quorums share an honest validator, who notarizes once a view. The log extends
this over crashes. Why it is live: with timers long enough for the network, an honest leader's view is entered
by all honest validators, all of them have what its proposal rests on, notarize it and none nullifies.

What differs from the paper (Chan and Pass, Simplex, TCC 2023; eprint 2023/463):
- nullify and finalize exclude each other in either order and across restarts (the paper sends finalize only if
  the timer has not fired, and knows no crashes with recovery);
- a proposal shows the certificates it rests on, so it can be judged, and its view be entered, from itself;
- a late notarization is finalized too (7), and certificates of far views are entered at once (6);
- a second timer for the leader's proposal, timers that double and fall back (timing.py), winners as leaders;
- an invalid proposal is nullified at once instead of at the timer;
- epochs, closing blocks (3, 9) and abstention (11) are additions; so is asking for missing blocks.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.consensus import catch_up
from node.consensus.agreement import Agreement
from node.consensus.blocks import Status
from node.consensus.certificates import Contradiction
from node.consensus.intake import MAX_MISSING, VIEWS_AHEAD, EarlyMessages, form_fault, vote_fault
from node.consensus.leaders import leader
from node.consensus.outbox import wrap
from node.consensus.scheme import SignatureScheme
from node.consensus.timing import Timing
from node.consensus.types import (
    AbstentionEnds,
    Action,
    Blame,
    Built,
    EpochInfo,
    Event,
    FinalBlock,
    Halt,
    MessageReceived,
    Offence,
    Peer,
    Prune,
    Synced,
    Timer,
    TimerFired,
    TimerKind,
    Validated,
)
from pocl.v1.consensus_pb2 import CatchUpRequest, Certificate, ConsensusMessage, Proposal, Vote
from runtime.blocks import extrinsics_root, header_hash
from runtime.certificates import CertificateError, proposal_message, verify_certificate
from runtime.offences import OffenceKind


class Core(Agreement):
    """One validator's, or one follower's, part in agreement: events in, actions out. See the rules above."""

    def __init__(
        self,
        *,
        scheme: SignatureScheme,
        timing: Timing,
        genesis_hash: bytes,
        epoch: EpochInfo,
        final: FinalBlock,
        records: Iterable[ConsensusMessage] = (),
        abstain_until: int = 0,
    ) -> None:
        """Start from the last final block on disk, the epoch that builds on it, and what the log holds."""
        super().__init__(scheme, timing, genesis_hash, epoch, final, records, abstain_until)
        self._early = EarlyMessages()
        self._halted = False

    def step(self, event: Event) -> list[Action]:
        """Take in an event and return what is to be done, in this order."""
        if self._halted:
            return []
        try:
            peer = event.peer if isinstance(event, MessageReceived) else None
            before = self._state
            self._dispatch(event)
            self._settle(peer)
            while self._state is not before:
                before = self._state
                for early in self._early.take():
                    self._on_message(early)
                self._settle(peer)
        except Contradiction as error:
            self._halted = True
            return [Halt(str(error))]
        return self._outbox.drain()

    # ---- events

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, MessageReceived):
            self._on_message(event)
        elif isinstance(event, TimerFired):
            self._on_timer(event.timer)
        elif isinstance(event, Validated):
            self._on_validated(event)
        elif isinstance(event, Built):
            self._on_built(event)
        elif isinstance(event, Synced):
            self._on_synced(event)
        elif isinstance(event, AbstentionEnds):
            self._abstain_until = event.epoch
        else:
            self._resume()

    def _on_message(self, event: MessageReceived) -> None:
        message, state = event.message, self._state
        if message.HasField("vote"):
            epoch = message.vote.epoch
        elif message.HasField("proposal"):
            epoch = message.proposal.epoch
        elif message.HasField("certificate"):
            self._take_certificate(message.certificate, event.peer)
            return
        elif message.HasField("catch_up"):
            self._on_request(message.catch_up, event.peer)
            return
        else:
            self._outbox.do(Blame(event.peer, "an empty message"))
            return
        if epoch == state.info.epoch + 1:
            self._early.keep(event, state.info)
        elif epoch == state.info.epoch:
            if message.HasField("vote"):
                self._on_vote(message.vote, event)
            else:
                self._on_proposal(message.proposal, event.peer)

    def _on_vote(self, vote: Vote, event: MessageReceived) -> None:
        state = self._state
        fault = vote_fault(vote, len(state.info.validators))
        if fault is not None:
            self._outbox.do(Blame(event.peer, fault))
        elif state.final_view < vote.view <= state.view + VIEWS_AHEAD:
            direct = event.account == state.info.validators[vote.validator]
            state.votes.add(vote, event.peer, direct)
            self._count(vote.view, vote.kind)

    def _on_proposal(self, proposal: Proposal, peer: Peer) -> None:
        state, view = self._state, proposal.view
        fault = form_fault(proposal)
        if fault is not None:
            self._outbox.do(Blame(peer, fault))
            return
        block_hash = header_hash(proposal.block.header)
        wanted = block_hash in self._missing()
        if not wanted:
            stale = view < state.view or proposal.parent_view < state.final_view
            held = state.proposals.get(view)
            if stale or (held is not None and _same(held, state.proposed[view], proposal, block_hash)):
                return
        if not self._authentic(proposal, block_hash):
            self._outbox.do(Blame(peer, "a proposal with a bad signature or another body than its header's"))
            return
        self._report_second(proposal, block_hash)
        if wanted:
            # Its hash is certified, so the block is the right one, whatever else the proposal claims.
            self._tree.add(proposal.block, block_hash)
        if view < state.view:
            state.place(proposal, block_hash)  # to serve it to others; nothing is voted on in a past view
        elif view not in state.proposals and self._take_justification(proposal, peer) and view == self.view:
            state.place(proposal, block_hash)

    def _on_request(self, request: CatchUpRequest, peer: Peer) -> None:
        if len(request.missing) > MAX_MISSING:
            self._outbox.do(Blame(peer, "a request for too many blocks"))
        elif request.epoch > self._state.info.epoch:
            self._hint_sync(peer, request.epoch)
        else:
            catch_up.answer(self._state, request, peer, self._outbox)

    def _on_timer(self, timer: Timer) -> None:
        state = self._state
        if (timer.epoch, timer.view) != (state.info.epoch, state.view):
            return
        if timer.kind is TimerKind.STALL:
            self._resend()
            state.stalls += 1
            state.forget_answers()
            self._set_stall_timer()
        elif timer.kind is TimerKind.VIEW or state.view not in state.proposals:
            self._nullify(state.view)

    def _on_validated(self, event: Validated) -> None:
        candidate = self._tree.get(event.block_hash)
        if candidate is None or candidate.status is not Status.CHECKING:
            return
        candidate.status = Status.VALID if event.ok else Status.INVALID
        if not event.ok and self._state.certificates.certifies(event.block_hash):
            raise Contradiction(f"block {event.block_hash.hex()}, notarized by a quorum: {event.reason}")

    def _on_built(self, event: Built) -> None:
        state, choice = self._state, self._choice
        expected = (event.epoch, event.view) == (state.info.epoch, state.view) and choice is not None
        if expected and choice is not None and state.asked_view == state.view and self._may_propose():
            self._choice = None
            self._publish(event.block, choice)

    def _on_synced(self, event: Synced) -> None:
        final, certificate = event.final, event.final.certificate
        if event.epoch.epoch > self._state.info.epoch:
            self._begin(event.epoch, final)
            self._outbox.do(Prune(event.epoch.epoch, self._state.final_view))
            self._resume()
        elif event.epoch.epoch == self._state.info.epoch and final.number > self._tree.root_number:
            self._tree.set_root(final.hash, final.number)
            if certificate is not None:
                self._add_certificate(certificate, None)

    # ---- what must be checked first

    def _take_certificate(self, certificate: Certificate, peer: Peer) -> bool:
        """Take in a certificate from outside; tell whether it is valid and of this epoch."""
        state = self._state
        if certificate.epoch > state.info.epoch:
            self._hint_sync(peer, certificate.epoch)
        if certificate.epoch != state.info.epoch or certificate.view < max(state.final_view, 1):
            return False
        held = state.certificates.get(certificate.view, certificate.kind)
        if held is not None and held.block_hash == certificate.block_hash:
            return True
        try:
            verify_certificate(
                certificate, state.info.validators, self._genesis_hash, verify=self._scheme.verify
            )
        except CertificateError as error:
            self._outbox.do(Blame(peer, str(error)))
            return False
        self._add_certificate(certificate, peer)
        return True

    def _take_justification(self, proposal: Proposal, peer: Peer) -> bool:
        """Take in the certificates of a proposal, which may lead into its view; False if one is bad."""
        state = self._state
        if proposal.parent_view > 0 and not self._take_certificate(proposal.parent_certificate, peer):
            return False
        for certificate in proposal.nullifications:
            if not self._take_certificate(certificate, peer):
                return False
        return self._state is state

    def _authentic(self, proposal: Proposal, block_hash: bytes) -> bool:
        """Tell whether the view's leader signed the proposal and the block's body is its header's."""
        message = proposal_message(
            self._genesis_hash, proposal.epoch, proposal.view, block_hash, proposal.parent_view
        )
        author = leader(self._state.info, proposal.view)
        block = proposal.block
        return (
            self._scheme.verify(author, message, proposal.signature)
            and extrinsics_root(block.extrinsics) == block.header.extrinsics_root
        )

    def _report_second(self, proposal: Proposal, block_hash: bytes) -> None:
        """Two different signed proposals of one view are an offence of its leader."""
        state, view = self._state, proposal.view
        held = state.proposals.get(view)
        if held is None or view in state.accused or _same(held, state.proposed[view], proposal, block_hash):
            return
        state.accused.add(view)
        account = leader(state.info, view)
        self._outbox.do(Offence(OffenceKind.TWO_PROPOSALS, account, wrap(held), wrap(proposal)))


def _same(one: Proposal, one_hash: bytes, other: Proposal, other_hash: bytes) -> bool:
    return (one_hash, one.parent_view) == (other_hash, other.parent_view)

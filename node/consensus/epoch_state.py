"""What the core knows of the epoch it is in. All of it is dropped when the epoch ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.consensus.certificates import CertificateBook
from node.consensus.types import EpochInfo, Peer
from node.consensus.votes import VoteBook
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, Proposal, Vote, VoteKind


@dataclass(slots=True, eq=False)
class EpochState:
    """Views, votes, certificates and proposals of one epoch, from its last final view on."""

    info: EpochInfo
    index: int | None
    """Our place in the set; None for those who only follow."""
    votes: VoteBook
    certificates: CertificateBook
    opening_certificate: Certificate | None
    """Made the closing block of the epoch before final; for those who are still there."""
    view: int = 1
    final_view: int = 0
    """The highest view with a finalize certificate; 0 before the first."""
    final_certificate: Certificate | None = None
    uncommitted: Certificate | None = None
    """The finalize certificate of `final_view` while its block is not executed here."""
    proposals: dict[int, Proposal] = field(default_factory=dict)
    """The one proposal of each view that counts here."""
    proposed: dict[int, bytes] = field(default_factory=dict)
    """The hashes of their blocks."""
    logged: set[tuple[int, int]] = field(default_factory=set)
    """View and kind of the certificates in the log; kind 0 stands for the view's proposal."""
    accused: set[int] = field(default_factory=set)
    """Views whose leader was reported for two proposals."""
    barred_view: int = 0
    """The highest view in the log at the last start: nothing is proposed up to it."""
    asked_view: int = 0
    """The last view for which a block was asked of the driver, or proposed."""
    stalls: int = 0
    """How often the stall timer fired in this view."""
    answered: set[tuple[Peer, bytes]] = field(default_factory=set)
    """Who was answered, with which block (empty: with certificates), since the view or the stall timer moved."""
    requested: set[bytes] = field(default_factory=set)
    """Blocks asked for since the view or the stall timer moved."""
    sync_hinted: bool = False
    """Whether NeedSync was said since the view or the stall timer moved."""

    def own(self, view: int, kind: VoteKind) -> Vote | None:
        """Return our own vote of this kind in the view."""
        return self.votes.get(view, kind, self.index)

    def may_notarize(self, view: int) -> bool:
        """Rule 4: in the current view only, once, and not after nullifying it."""
        return view == self.view and not (self.own(view, NOTARIZE) or self.own(view, NULLIFY))

    def may_nullify(self, view: int) -> bool:
        """Rule 5: in the current view only, once, and not after finalizing it."""
        return view == self.view and not (self.own(view, NULLIFY) or self.own(view, FINALIZE))

    def may_finalize(self, view: int) -> bool:
        """Rule 7: once, and not after nullifying it."""
        return view > self.final_view and not (self.own(view, FINALIZE) or self.own(view, NULLIFY))

    def place(self, proposal: Proposal, block_hash: bytes) -> None:
        """Make this the proposal that counts in its view."""
        self.proposals[proposal.view] = proposal
        self.proposed[proposal.view] = block_hash

    def find_proposal(self, block_hash: bytes) -> Proposal | None:
        """Return a proposal that holds the block."""
        for view, proposed in self.proposed.items():
            if proposed == block_hash:
                return self.proposals[view]
        return None

    def enter(self, view: int) -> None:
        """Move to a higher view."""
        self.view = view
        self.stalls = 0
        self.forget_answers()

    def forget_answers(self) -> None:
        """Let everybody ask, and be asked, again."""
        self.answered.clear()
        self.requested.clear()
        self.sync_hinted = False

    def finalize(self, certificate: Certificate) -> None:
        """Make a view the last final one and forget everything of the views below it."""
        view = certificate.view
        self.final_view = view
        self.final_certificate = certificate
        self.votes.drop_below(view)
        self.certificates.drop_below(view)
        self.proposals = {at: proposal for at, proposal in self.proposals.items() if at >= view}
        self.proposed = {at: block_hash for at, block_hash in self.proposed.items() if at >= view}
        self.logged = {key for key in self.logged if key[0] >= view}
        self.accused = {at for at in self.accused if at >= view}

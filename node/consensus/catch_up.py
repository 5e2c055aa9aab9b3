"""How those who lack messages get them: nobody relays votes, so what is lost must be sent again.

- A node whose view has not moved for a while sends everybody what it knows (`known`, others' votes included)
  and says where it stands and which certified blocks it lacks (CatchUpRequest); with each time it waits longer.
- Whoever stands in a later view or epoch answers a request with what it knows, once per peer and move of its
  own; whoever has a missing block answers with its proposal.
"""

from __future__ import annotations

from node.consensus.epoch_state import EpochState
from node.consensus.outbox import Outbox, wrap
from node.consensus.types import Peer, Send
from pocl.v1.consensus_pb2 import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    CatchUpRequest,
    Certificate,
    Proposal,
    Vote,
)

_MAX_CERTIFICATES = 64
_MAX_ANSWERS = 4096

Known = Proposal | Vote | Certificate


def known(state: EpochState) -> list[Known]:
    """Return all that helps another node to this view and out of it."""
    found: list[Known] = []
    if state.final_certificate is not None:
        found.append(state.final_certificate)
    found += state.certificates.leading(state.view, _MAX_CERTIFICATES)
    proposal = state.proposals.get(state.view)
    if proposal is not None:
        found.append(proposal)
    for kind in (NOTARIZE, NULLIFY):
        if state.certificates.get(state.view, kind) is None:
            found += state.votes.cast(state.view, kind)
    best = state.certificates.best()
    if best is not None and best.view > state.final_view:
        found += state.votes.cast(best.view, FINALIZE)
    return found


def answer(state: EpochState, request: CatchUpRequest, peer: Peer, outbox: Outbox) -> None:
    """Send the peer what it lacks, once per move of ours."""
    if len(state.answered) >= _MAX_ANSWERS:
        return
    older = request.epoch < state.info.epoch
    if (older or request.view < state.view) and (peer, b"") not in state.answered:
        state.answered.add((peer, b""))
        if older and state.opening_certificate is not None:
            outbox.do(Send(peer, wrap(state.opening_certificate)))
        for message in known(state):
            outbox.do(Send(peer, wrap(message)))
    for block_hash in request.missing:
        proposal = state.find_proposal(block_hash)
        if proposal is not None and (peer, block_hash) not in state.answered:
            state.answered.add((peer, block_hash))
            outbox.do(Send(peer, wrap(proposal)))

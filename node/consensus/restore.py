"""How a core comes back from its log: what was sent counts as sent.

Every record is a message of ours, or one that a message of ours rests on: proposals (our own, and those we
notarized: block, parent's certificate, nullifications), our votes, the certificates that led us on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from node.consensus.blocks import BlockTree
from node.consensus.epoch_state import EpochState
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage, Proposal, Vote
from runtime.blocks import header_hash


def split_records(records: Iterable[ConsensusMessage]) -> dict[int, list[ConsensusMessage]]:
    """Return the records by epoch, in their order."""
    epochs: dict[int, list[ConsensusMessage]] = defaultdict(list)
    for record in records:
        epochs[_content(record).epoch].append(record)
    return dict(epochs)


def restore(state: EpochState, tree: BlockTree, records: Iterable[ConsensusMessage]) -> None:
    """Bring an epoch's fresh state to where the records leave it. Nothing is sent: that is for the start."""
    for record in records:
        content = _content(record)
        view = content.view
        if view < state.final_view:
            continue
        state.barred_view = max(state.barred_view, view)
        if isinstance(content, Certificate):
            state.view = max(state.view, view + 1)
            _add(state, content)
        elif isinstance(content, Proposal):
            state.view = max(state.view, view)
            _restore_proposal(state, tree, content)
        else:
            state.view = max(state.view, view)
            # A vote of another key cannot be in this log; one of another index would not be ours.
            if content.validator == state.index:
                state.votes.add_own(content)


def _restore_proposal(state: EpochState, tree: BlockTree, proposal: Proposal) -> None:
    block_hash = header_hash(proposal.block.header)
    state.place(proposal, block_hash)
    state.logged.add((proposal.view, 0))
    tree.add(proposal.block, block_hash)
    if proposal.parent_view >= max(state.final_view, 1):
        _add(state, proposal.parent_certificate)
    for certificate in proposal.nullifications:
        if certificate.view > state.final_view:
            _add(state, certificate)


def _add(state: EpochState, certificate: Certificate) -> None:
    state.certificates.add(certificate)
    state.logged.add((certificate.view, certificate.kind))


def _content(record: ConsensusMessage) -> Proposal | Certificate | Vote:
    if record.HasField("proposal"):
        return record.proposal
    if record.HasField("certificate"):
        return record.certificate
    return record.vote

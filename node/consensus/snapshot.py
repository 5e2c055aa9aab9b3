"""What a core knows, for people: a copy that nobody changes, taken between two steps.

Votes that came over their signer's own connection are counted before they are checked, as the core itself holds
them: a snapshot verifies nothing and charges nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.consensus.epoch_state import EpochState
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, VoteKind


@dataclass(frozen=True)
class AgreementSnapshot:
    """Where agreement stands at this node. Validators are accounts."""

    epoch: int
    view: int
    leader: bytes
    quorum: int
    voting: bool
    """Whether this node votes and proposes in the epoch."""
    abstain_until: int
    """The first epoch in which it votes; 0 = it never abstained."""
    proposed: bool
    """Whether the view's proposal is here."""
    notarized: frozenset[bytes]
    """Whose notarize votes of the view are here."""
    nullified: frozenset[bytes]
    final_view: int
    """The last final view of the epoch, 0 before the first."""
    finalizing_view: int
    """The newest notarized view, if it is not final; else 0."""
    finalized: frozenset[bytes]
    """Whose finalize votes of that view are here."""
    missing_block: bool
    """Whether a finalize certificate is here and its block, or one below it, is not."""
    nullified_views: int = 0
    """Views that a quorum gave up, as far as this node heard of it since its start."""


def take(
    state: EpochState, leader: bytes, *, voting: bool, abstain_until: int, nullified_views: int
) -> AgreementSnapshot:
    """Return what a core's state of its epoch says."""
    validators = state.info.validators

    def voters(view: int, kind: VoteKind) -> frozenset[bytes]:
        return frozenset(validators[index] for index in state.votes.voters(view, kind))

    best = state.certificates.best()
    finalizing = best.view if best is not None and best.view > state.final_view else 0
    return AgreementSnapshot(
        epoch=state.info.epoch,
        view=state.view,
        leader=leader,
        quorum=state.info.quorum,
        voting=voting,
        abstain_until=abstain_until,
        proposed=state.view in state.proposals,
        notarized=voters(state.view, NOTARIZE),
        nullified=voters(state.view, NULLIFY),
        final_view=state.final_view,
        finalizing_view=finalizing,
        finalized=voters(finalizing, FINALIZE),
        missing_block=state.uncommitted is not None,
        nullified_views=nullified_views,
    )

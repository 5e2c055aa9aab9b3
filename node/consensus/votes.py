"""The votes of an epoch: one per validator, kind and view, checked when they are needed.

A vote that came over its signer's own authenticated connection can only be the signer's: it is kept unchecked
and checked with the others when they make a quorum. A vote that somebody else passed on is checked at once, or
a liar could fill another one's place. What fails is charged to the connection it came by and its place is free
again, so bad signatures cannot keep a quorum from forming.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.consensus.outbox import Outbox, wrap
from node.consensus.scheme import SignatureScheme
from node.consensus.types import Blame, EpochInfo, Offence, Peer
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, Vote, VoteKind
from runtime.certificates import make_certificate, vote_message
from runtime.offences import OffenceKind

KINDS = (NOTARIZE, NULLIFY, FINALIZE)

_OPPOSED = {NULLIFY: FINALIZE, FINALIZE: NULLIFY}


@dataclass(slots=True)
class _Ballot:
    vote: Vote
    peer: Peer | None
    checked: bool


class VoteBook:
    """The votes of the views that are not final."""

    def __init__(
        self, epoch: EpochInfo, genesis_hash: bytes, scheme: SignatureScheme, outbox: Outbox
    ) -> None:
        self._epoch = epoch
        self._genesis_hash = genesis_hash
        self._scheme = scheme
        self._outbox = outbox
        self._slots: dict[tuple[int, int], dict[int, _Ballot]] = {}
        self._reported: set[tuple[int, int, OffenceKind]] = set()

    def get(self, view: int, kind: VoteKind, validator: int | None) -> Vote | None:
        """Return the validator's vote of this kind in the view."""
        ballot = self._slots.get((view, kind), {}).get(validator) if validator is not None else None
        return None if ballot is None else ballot.vote

    def cast(self, view: int, kind: VoteKind) -> list[Vote]:
        """Return the valid votes of this kind in the view, checking those that were not checked before."""
        ballots = list(self._slots.get((view, kind), {}).values())
        return [ballot.vote for ballot in ballots if self._confirmed(ballot)]

    def voters(self, view: int, kind: VoteKind) -> list[int]:
        """Return whose votes of this kind in the view are held, unchecked ones included."""
        return sorted(self._slots.get((view, kind), ()))

    def views(self) -> list[int]:
        """Return the views with votes, ascending."""
        return sorted({view for view, _ in self._slots})

    def add_own(self, vote: Vote) -> None:
        """Take in a vote signed here."""
        self._slots.setdefault((vote.view, vote.kind), {})[vote.validator] = _Ballot(vote, None, True)

    def add(self, vote: Vote, peer: Peer, direct: bool) -> None:
        """Take in a well-formed vote of this epoch; `direct` if the connection is its signer's own."""
        slot = self._slots.setdefault((vote.view, vote.kind), {})
        held = slot.get(vote.validator)
        if held is not None and held.vote.block_hash == vote.block_hash:
            return
        rival = held or self._opposed(vote)
        if (rival is not None or not direct) and not self._valid(vote):
            self._outbox.do(Blame(peer, "a vote with a bad signature"))
            return
        checked = rival is not None or not direct
        if rival is not None and self._confirmed(rival):
            self._report(rival.vote, vote)
            if held is not None:
                return  # the first one counts
        slot[vote.validator] = _Ballot(vote, peer, checked)

    def certificate(self, view: int, kind: VoteKind) -> Certificate | None:
        """Return the certificate that the votes make, if they do, checking what was not checked before."""
        slot = self._slots.get((view, kind), {})
        if len(slot) < self._epoch.quorum:
            return None
        for block_hash in {ballot.vote.block_hash for ballot in slot.values()}:
            equal = [ballot for ballot in slot.values() if ballot.vote.block_hash == block_hash]
            if len(equal) < self._epoch.quorum:
                continue
            valid = [ballot for ballot in equal if self._confirmed(ballot)]
            if len(valid) >= self._epoch.quorum:
                signatures = {ballot.vote.validator: ballot.vote.signature for ballot in valid}
                return make_certificate(
                    self._epoch.epoch, view, kind, block_hash, signatures, len(self._epoch.validators)
                )
        return None

    def drop_below(self, view: int) -> None:
        """Forget the votes of lower views."""
        self._slots = {key: slot for key, slot in self._slots.items() if key[0] >= view}
        self._reported = {key for key in self._reported if key[0] >= view}

    def _valid(self, vote: Vote) -> bool:
        message = vote_message(self._genesis_hash, vote.epoch, vote.view, vote.kind, vote.block_hash)
        return self._scheme.verify(self._epoch.validators[vote.validator], message, vote.signature)

    def _confirmed(self, ballot: _Ballot) -> bool:
        """Check a ballot if it was not; one that fails is charged to its connection and removed."""
        if not ballot.checked:
            if not self._valid(ballot.vote):
                self._outbox.do(Blame(ballot.peer, "a vote with a bad signature"))
                del self._slots[ballot.vote.view, ballot.vote.kind][ballot.vote.validator]
                return False
            ballot.checked = True
        return True

    def _opposed(self, vote: Vote) -> _Ballot | None:
        other = _OPPOSED.get(vote.kind)
        return None if other is None else self._slots.get((vote.view, other), {}).get(vote.validator)

    def _report(self, first: Vote, second: Vote) -> None:
        if first.kind != second.kind:
            kind = OffenceKind.NULLIFY_AND_FINALIZE
        elif first.kind == NOTARIZE:
            kind = OffenceKind.TWO_NOTARIZE
        else:
            kind = OffenceKind.TWO_FINALIZE
        key = (first.view, first.validator, kind)
        if key not in self._reported:
            self._reported.add(key)
            account = self._epoch.validators[first.validator]
            self._outbox.do(Offence(kind, account, wrap(first), wrap(second)))

"""Finding double votes in consensus logs.

A log holds what its validator signed. What counts as its own is what its key has signed, whatever index the vote
names; that index must then be its own in the set of the vote's epoch.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable

from pocl.keys import verify
from pocl.v1.consensus_pb2 import FINALIZE, NULLIFY, ConsensusMessage, Proposal, Vote
from runtime.blocks import header_hash
from runtime.certificates import proposal_message, vote_message
from tests.faults.sets import Sets

_Place = tuple[bytes, int, int]
"""Account, epoch and view."""


class Votes:
    """Every vote and proposal found in the consensus logs so far; also what a log has forgotten since."""

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._votes: dict[tuple[bytes, int, int, int], dict[tuple[int, bytes], Vote]] = defaultdict(dict)
        self._proposals: dict[_Place, dict[bytes, Proposal]] = defaultdict(dict)
        self._early: dict[_Place, int] = {}
        self._names: dict[bytes, str] = {}
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        return len(self._votes)

    def take(self, name: str, account: bytes, first: int, records: Iterable[ConsensusMessage]) -> None:
        """Take in the records of a validator's log, whose head says that `first` is the first epoch to vote in."""
        with self._lock:
            self._names[account] = name
            for record in records:
                vote, proposal = record.vote, record.proposal
                if record.HasField("vote"):
                    place = account, vote.epoch, vote.view, vote.kind
                    self._votes[place][vote.validator, vote.block_hash] = vote
                    if vote.epoch < first and self._signed_vote(account, vote):
                        self._early[account, vote.epoch, vote.view] = first
                elif record.HasField("proposal"):
                    hash = header_hash(proposal.block.header)
                    self._proposals[account, proposal.epoch, proposal.view][hash] = proposal

    def contradictions(self, sets: Sets) -> list[str]:
        """Return what no validator may sign. `sets` must know every epoch that was voted in."""
        found = []
        own: dict[tuple[bytes, int, int, int], set[bytes]] = {}
        for place, votes in self._votes.items():
            account, epoch, view, kind = place
            where = f"{self._names[account]}: view {view} of epoch {epoch}"
            signed = [vote for vote in votes.values() if self._signed_vote(account, vote)]
            own[place] = {vote.block_hash for vote in signed}
            if signed and not sets.known(epoch):
                found.append(f"{where}: it voted, but no closing block announced that epoch")
            elif any(sets.account(epoch, vote.validator) != account for vote in signed):
                found.append(f"{where}: it voted under an index that is not its own")
            if len(own[place]) > 1:
                found.append(f"{where}: it gave two votes of kind {kind}")
        for (account, epoch, view, kind), hashes in own.items():
            if kind == NULLIFY and hashes and own.get((account, epoch, view, FINALIZE)):
                found.append(f"{self._names[account]}: view {view} of epoch {epoch}: nullified and finalized")
        for (account, epoch, view), first in self._early.items():
            where = f"{self._names[account]}: view {view} of epoch {epoch}"
            found.append(f"{where}: it voted, though it must abstain until epoch {first}")
        for (account, epoch, view), proposals in self._proposals.items():
            if sum(self._signed_proposal(account, *entry) for entry in proposals.items()) > 1:
                found.append(f"{self._names[account]}: view {view} of epoch {epoch}: it proposed two blocks")
        return found

    def _signed_vote(self, account: bytes, vote: Vote) -> bool:
        message = vote_message(self._genesis_hash, vote.epoch, vote.view, vote.kind, vote.block_hash)
        return verify(account, message, vote.signature)

    def _signed_proposal(self, account: bytes, hash: bytes, proposal: Proposal) -> bool:
        message = proposal_message(
            self._genesis_hash, proposal.epoch, proposal.view, hash, proposal.parent_view
        )
        return verify(account, message, proposal.signature)

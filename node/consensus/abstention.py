"""Finding out how long a validator without a log must abstain (node/consensus/log.py has the rule and why).

Other validators say in their handshakes how far they are. Anybody may prove an account, so only those of the set are
remembered, each with the first that it said. While this node catches up the set changes: who came into it is then heard
if it is still connected, or when it connects again. What anybody who is connected claims to have is asked
for; of claims that stay unproven after that, as many as f validators could make up count for nothing, so no liar
decides that the others abstain.

A chain that has not begun is the exception: a node at block 0 votes at once when all that the rule asks for are there
and none has shown that something is final (node/beginning.py); as many as f may say so, for they may lie. What
counts is how far they were when this node heard of them first. Had it voted in a life before, that would have shown
then; what became final since, without it, says nothing of it. Else a liar and a few blocks made meanwhile would
silence validators that never voted, and these and another faulty one are more than f.

One silent validator must not keep a new chain from its first block, so after `GENESIS_PATIENCE_S` a quorum is enough,
this node included. That is as safe as agreement itself: a validator that did vote before and lost log and database
counts among the f.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import trio

from node.beginning import shows_beginning
from node.chain import Chain
from node.consensus.log import abstain_until
from node.network import Network, Peer
from runtime.quorum import faulty, quorum

GENESIS_PATIENCE_S = 60.0

_POLL_S = 0.05


class _Report(NamedTuple):
    """What a validator said first."""

    final_number: int
    shows_beginning: bool


class Abstention:
    """What the other validators say, and what follows from it."""

    def __init__(
        self,
        account: bytes,
        chain: Chain,
        network: Network,
        need_sync: Callable[[], None],
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._account = account
        self._chain = chain
        self._network = network
        self._need_sync = need_sync
        self._reports: dict[bytes, _Report] = {}
        # The set of epoch 1, where this node has no block yet.
        self._first_set = None if chain.final_number else tuple(chain.epoch_change.validators)
        self._quorum_since: float | None = None

    def on_peer(self, peer: Peer) -> None:
        """Note how far a validator of the set says to be, unless it did so before."""
        account = peer.validator
        if account is None or account in self._reports:
            return
        if account in self._chain.epoch_change.validators:
            self._reports[account] = _Report(peer.final_number, self._shows_beginning(peer))

    async def end(self) -> int:
        """Wait until enough is known; return the first epoch to vote in."""
        while (epoch := self.look()) is None:
            await trio.sleep(_POLL_S)
        self._reports.clear()
        return epoch

    def look(self) -> int | None:
        """Return the first epoch to vote in; None while too little is known."""
        change, final = self._chain.epoch_change, self._chain.final_number
        n, others = len(change.validators), set(change.validators) - {self._account}
        member = len(others) < n
        for peer in self._network.peers():
            self.on_peer(peer)
        reports = [report for account, report in self._reports.items() if account in others]
        until = abstain_until(change.epoch, len(reports), n, member)
        if self._first_set is not None and not _begun(reports, n):
            return 0 if until is not None or self._patience_over(len(reports) + member >= quorum(n)) else None
        told = [peer.final_number for peer in self._network.peers() if peer.validator in others]
        unproven = sum(report.final_number > final for report in reports)
        if final == 0 or unproven > faulty(n) or any(number > final for number in told):
            self._need_sync()
            return None
        return until

    def _patience_over(self, quorum_heard: bool) -> bool:
        if not quorum_heard:
            return False
        if self._quorum_since is None:
            self._quorum_since = self._clock()
        return self._clock() - self._quorum_since >= GENESIS_PATIENCE_S

    def _shows_beginning(self, peer: Peer) -> bool:
        return self._first_set is not None and shows_beginning(
            peer.begun, self._first_set, self._chain.genesis_hash, self._chain.verify
        )


def _begun(reports: Sequence[_Report], validators: int) -> bool:
    """Tell whether something was final on the chain when the others first spoke."""
    claims = sum(report.final_number > 0 for report in reports)
    return claims > faulty(validators) or any(report.shows_beginning for report in reports)

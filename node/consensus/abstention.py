"""Finding out how long a validator without a log must abstain (node/consensus/log.py has the rule and why).

Other validators say in their handshakes how far they are. Anybody may prove an account, so only those of the set are
remembered, each with the first that it said. While this node catches up the set changes: who came into it is then heard
if it is still connected, or when it connects again. What anybody who is connected claims to have is asked
for; of claims that stay unproven after that, as many as f validators could make up count for nothing, so no liar
decides that the others abstain.

A new chain begins when all that the rule asks for are there and at block 0. One silent validator must not keep it
from its first block, so after `GENESIS_PATIENCE_S` a quorum is enough, this node included. That is as safe as
agreement itself: a validator that did vote before and lost log and database counts among the f.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from node.chain import Chain
from node.consensus.log import abstain_until
from node.network import Network, Peer
from runtime.quorum import faulty, quorum

GENESIS_PATIENCE_S = 60.0

_POLL_S = 0.05


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
        self._reports: dict[bytes, tuple[int, int]] = {}
        self._quorum_since: float | None = None

    def on_peer(self, peer: Peer) -> None:
        """Note how far a validator of the set says to be, unless it did so before."""
        if peer.validator is not None and peer.validator in self._chain.epoch_change.validators:
            self._reports.setdefault(peer.validator, (peer.epoch, peer.final_number))

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
        told = [peer.final_number for peer in self._network.peers() if peer.validator in others]
        unproven = sum(number > final for _, number in reports)
        if unproven > faulty(n) or any(number > final for number in told):
            self._need_sync()
            return None
        proven = [(epoch, min(number, final)) for epoch, number in reports]
        until = abstain_until((change.epoch, final), proven, n, member)
        if until is None and final == 0 and len(reports) + member >= quorum(n):
            if self._quorum_since is None:
                self._quorum_since = self._clock()
            if self._clock() - self._quorum_since >= GENESIS_PATIENCE_S:
                return 0
        return until

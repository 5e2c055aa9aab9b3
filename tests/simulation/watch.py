"""What honest validators may sign, and whom they may accuse, whatever the network does and f validators do."""

from __future__ import annotations

from collections import defaultdict

from node.consensus.types import Blame, Halt, Offence
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, ConsensusMessage


class Violation(AssertionError):
    """Something happened that must never happen."""


class VoteWatch:
    """Sees every message that an honest validator sends."""

    def __init__(self, honest: set[int], accounts: dict[int, bytes]) -> None:
        self._honest = honest
        self._honest_accounts = {accounts[index] for index in honest}
        self._votes: dict[tuple[int, int, int], set[tuple[int, bytes]]] = defaultdict(set)
        self._own: dict[int, set[bytes]] = defaultdict(set)
        self._proposals: dict[tuple[int, int, int], bytes] = {}

    def sent(self, node: int, index: int | None, message: ConsensusMessage, block_hash: bytes) -> None:
        """A node sent a message; `index` is its place in the message's set, `block_hash` a proposal's."""
        if node not in self._honest:
            return
        if message.HasField("vote") and message.vote.validator == index:
            self._voted(node, message)
        elif message.HasField("proposal"):
            proposal = message.proposal
            key = (node, proposal.epoch, proposal.view)
            self._own_proposal(key, block_hash, proposal.block.header)

    def _voted(self, node: int, message: ConsensusMessage) -> None:
        vote = message.vote
        cast = self._votes[node, vote.epoch, vote.view]
        mark = (int(vote.kind), vote.block_hash)
        if mark in cast:
            return
        kinds = {kind for kind, _ in cast}
        if vote.kind in kinds:
            raise Violation(f"node {node} votes twice in epoch {vote.epoch}, view {vote.view}")
        if {int(vote.kind), *kinds} >= {NULLIFY, FINALIZE}:
            raise Violation(f"node {node} nullifies and finalizes view {vote.view} of epoch {vote.epoch}")
        if vote.kind == NOTARIZE and NULLIFY in kinds:
            raise Violation(f"node {node} notarizes view {vote.view} after nullifying it")
        cast.add(mark)

    def _own_proposal(self, key: tuple[int, int, int], block_hash: bytes, header: Header) -> None:
        # What it passes on of others, or proposes again, has another author or view.
        own = header.view == key[2] and header.author in self._own[key[0]]
        if own and self._proposals.setdefault(key, block_hash) != block_hash:
            raise Violation(f"node {key[0]} proposes twice in epoch {key[1]}, view {key[2]}")

    def owns(self, node: int, account: bytes) -> None:
        """Tell which account a node signs with."""
        self._own[node].add(account)

    def reported(self, node: int, action: Blame | Offence | Halt) -> None:
        """An honest node accuses somebody, or gives up."""
        if isinstance(action, Halt):
            raise Violation(f"node {node} halts: {action.reason}")
        if isinstance(action, Blame) and action.peer in self._honest:
            raise Violation(f"node {node} blames honest node {action.peer}: {action.reason}")
        if isinstance(action, Offence) and action.account in self._honest_accounts:
            raise Violation(f"node {node} accuses an honest validator: {action.kind.value}")

"""What must hold whatever happens to the nodes.

At any moment, over gRPC: at each height all nodes have the same final block, and no node goes back.
At the end, from the databases: the same again for every height, and each transfer that some node reported final is
in every database, in the same block. From the consensus logs: no validator contradicts its own earlier votes.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from node.consensus.log import read_log
from node.errors import NodeStartError
from node.genesis import build_genesis
from node.storage.database import Database
from pocl.client import ClientError
from pocl.keys import verify
from pocl.v1.consensus_pb2 import FINALIZE, NULLIFY, Proposal
from runtime.blocks import header_hash
from runtime.certificates import proposal_message
from tests.faults.network import FaultNetwork, Validator

POLL_S = 0.4
LOGS_EVERY = 25
"""Polls between two looks at the consensus logs, which forget what is final when they grow."""


@dataclass(frozen=True)
class FinalTransfer:
    """A transfer that a node reported final."""

    hash: bytes
    block_number: int
    block_hash: bytes


class Votes:
    """Every vote found in the consensus logs so far."""

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._votes: dict[tuple[str, int, int, int], set[bytes]] = defaultdict(set)
        self._proposals: dict[tuple[str, int, int], dict[bytes, Proposal]] = defaultdict(dict)
        self._keys: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        return len(self._votes)

    def read(self, node: Validator, index: int) -> None:
        """Take in what a node's log holds now; `index` is its validator's in the set."""
        try:
            _, records = read_log(node.consensus_log)
        except (OSError, NodeStartError):
            return  # Not there, being replaced, or damaged on purpose.
        with self._lock:
            self._keys[node.name] = node.key.public
            for record in records:
                vote, proposal = record.vote, record.proposal
                if record.HasField("vote") and vote.validator == index:
                    self._votes[node.name, vote.epoch, vote.view, vote.kind].add(vote.block_hash)
                elif record.HasField("proposal"):
                    place = node.name, proposal.epoch, proposal.view
                    self._proposals[place][header_hash(proposal.block.header)] = proposal

    def contradictions(self) -> list[str]:
        found = []
        for (name, epoch, view, kind), hashes in self._votes.items():
            if len(hashes) > 1:
                found.append(f"{name} gave two votes of kind {kind} in view {view} of epoch {epoch}")
            if kind == NULLIFY and (name, epoch, view, FINALIZE) in self._votes:
                found.append(f"{name} nullified and finalized view {view} of epoch {epoch}")
        for (name, epoch, view), proposals in self._proposals.items():
            own = [hash for hash, proposal in proposals.items() if self._signed(name, hash, proposal)]
            if len(own) > 1:
                found.append(f"{name} proposed two blocks in view {view} of epoch {epoch}")
        return found

    def _signed(self, name: str, hash: bytes, proposal: Proposal) -> bool:
        message = proposal_message(
            self._genesis_hash, proposal.epoch, proposal.view, hash, proposal.parent_view
        )
        return verify(self._keys[name], message, proposal.signature)


class Watch:
    """Looks at all nodes of a network, in a thread of its own, until stopped."""

    def __init__(self, network: FaultNetwork) -> None:
        self._network = network
        genesis = build_genesis(network.spec)
        self.genesis_hash = genesis.hash
        self.votes = Votes(genesis.hash)
        self.violations: list[str] = []
        self.advances: list[float] = [time.monotonic()]
        """When the highest final height seen rose."""
        self._hashes: dict[int, bytes] = {}
        self._known: dict[tuple[str, int], int] = {}
        self._order = sorted(network.spec.genesis.validators)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def height(self) -> int:
        return max(self._hashes, default=0)

    def longest_pause(self, since: float, until: float) -> float:
        """Return the longest time without a new final block in a span of the monotonic clock."""
        before = [moment for moment in self.advances if moment <= since][-1:]
        moments = [*before, *(moment for moment in self.advances if since < moment <= until), until]
        return max((later - earlier for earlier, later in pairwise(moments)), default=0)

    def read_logs(self) -> None:
        for node in self._network.nodes:
            self.votes.read(node, self._order.index(node.key.public))

    def contradictions(self) -> list[str]:
        """Return the double votes in the logs read so far."""
        return self.votes.contradictions()

    def check_databases(self, transfers: Sequence[FinalTransfer]) -> int:
        """With all nodes stopped: compare what they have on disk. Return the highest height all have."""
        databases = [(node, Database.open(node.database, self.genesis_hash)) for node in self._network.nodes]
        try:
            common = min(database.final()[0] for _, database in databases)
            for node, database in databases:
                for number in range(1, database.final()[0] + 1):
                    self._same(node.name, number, database.hash(number) or b"")
                for transfer in transfers:
                    self._has_transfer(node.name, database, transfer)
        finally:
            for _, database in databases:
                database.close()
        return common

    def _has_transfer(self, name: str, database: Database, transfer: FinalTransfer) -> None:
        place = database.extrinsic_location(transfer.hash)
        if transfer.block_number > database.final()[0]:
            self._violation(f"{name} ended below block {transfer.block_number}, which holds a final transfer")
        elif place is None or place[0] != transfer.block_number:
            self._violation(
                f"{name} has no transfer 0x{transfer.hash.hex()}, final in {transfer.block_number}"
            )
        elif database.hash(place[0]) != transfer.block_hash:
            self._violation(f"{name} has the transfer 0x{transfer.hash.hex()} in another block")

    def _run(self) -> None:
        polls = 0
        while not self._stopping.wait(POLL_S):
            for node in self._network.up():
                try:
                    self._look(node)
                except (ClientError, ValueError, AttributeError):
                    continue  # It is being killed this very moment.
            polls += 1
            if polls % LOGS_EVERY == 0:
                self.read_logs()

    def _look(self, node: Validator) -> None:
        place = node.name, node.databases
        known = self._known.get(place, 0)
        client = node.client
        if client is None:
            return
        final = client.info().final_number
        if final < known and place == (node.name, node.databases):
            self._violation(f"{node.name} told of final block {known} and now ends at {final}")
        top = self.height
        for header in client.headers(known + 1) if final > known else ():
            self._same(node.name, header.number, header_hash(header))
            self._known[place] = header.number
        if self.height > top:
            self.advances.append(time.monotonic())

    def _same(self, name: str, number: int, hash: bytes) -> None:
        if self._hashes.setdefault(number, hash) != hash:
            self._violation(f"fork: {name} has another final block {number} than others")

    def _violation(self, text: str) -> None:
        if text not in self.violations:
            self.violations.append(text)

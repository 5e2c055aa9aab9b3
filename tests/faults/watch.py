"""What must hold whatever happens to the nodes.

At any moment, over gRPC: at each height all nodes have the same final block, no node goes back, and finality goes on
while a quorum is able to bring it about, or soon after there is one again.
At the end, from the databases: the same again for every height, and each transfer that some node reported final is
in every database, in the same block. From the consensus logs: no validator contradicts its own earlier votes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from node.consensus.log import read_log
from node.errors import NodeStartError
from node.storage.database import Database
from pocl.client import ClientError
from pocl.v1.block_pb2 import Header
from runtime.blocks import header_hash
from tests.faults.network import FaultNetwork, Validator
from tests.faults.votes import Votes

RESUME_S = 30.0
"""Within it finality must go on, once a quorum that kept its logs is up (network.py says who counts)."""

POLL_S = 0.4
MEASURE_S = 0.2
LOGS_EVERY_S = 20.0


@dataclass(frozen=True)
class FinalTransfer:
    """A transfer that a node reported final."""

    hash: bytes
    block_number: int
    block_hash: bytes


@dataclass(frozen=True)
class Resumption:
    """Finality went on after there had been no quorum; `seconds` after there was one again."""

    at: float
    seconds: float


class Watch:
    """Looks at all nodes of a network, in threads of its own, until stopped."""

    def __init__(self, network: FaultNetwork) -> None:
        self._network = network
        self.votes = Votes(network.genesis_hash)
        self.violations: list[str] = []
        self.advances: list[float] = [time.monotonic()]
        """When the highest final height seen rose."""
        self.resumptions: list[Resumption] = []
        self.height = 0
        self._hashes: dict[int, bytes] = {}
        self._known: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()
        self._stalled: float | None = None
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=(node,), daemon=True) for node in network.nodes
        ]
        self._threads += [
            threading.Thread(target=target, daemon=True) for target in (self._measure, self._read)
        ]
        network.before_loss = self._read_log

    def start(self) -> None:
        self.advances = [time.monotonic()]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def longest_pause(self, since: float, until: float) -> float:
        """Return the longest time without a new final block in a span of the monotonic clock."""
        before = [moment for moment in self.advances if moment <= since][-1:]
        moments = [*before, *(moment for moment in self.advances if since < moment <= until), until]
        return max((later - earlier for earlier, later in pairwise(moments)), default=0)

    def resumed(self, since: float, until: float) -> float:
        """Return the longest time that finality took to resume in a span of the monotonic clock."""
        return max((found.seconds for found in self.resumptions if since <= found.at <= until), default=0.0)

    def read_logs(self) -> None:
        for node in self._network.nodes:
            self._read_log(node)

    def contradictions(self) -> list[str]:
        """Return the double votes; call it when all final blocks have been seen."""
        return self.votes.contradictions(self._network.sets)

    def check_databases(self, transfers: Sequence[FinalTransfer]) -> int:
        """With all nodes stopped: compare what they have on disk. Return the highest height all have."""
        genesis_hash = self._network.genesis_hash
        databases = [(node, Database.open(node.database, genesis_hash)) for node in self._network.nodes]
        try:
            common = min(database.final()[0] for _, database in databases)
            for node, database in databases:
                for number in range(1, database.final()[0] + 1):
                    header = database.header(number)
                    if header is None:
                        self._violation(f"{node.name} has no block {number}")
                    else:
                        self._same(node.name, header)
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

    def _follow(self, node: Validator) -> None:
        while not self._stopping.wait(POLL_S):
            if node.up:
                try:
                    self._look(node)
                except (ClientError, ValueError):
                    continue  # It is being killed this very moment.

    def _look(self, node: Validator) -> None:
        place = node.name, node.databases
        known = self._known.get(place, 0)
        client = node.client
        if client is None:
            return
        final = client.info().final_number
        if final < known and place == (node.name, node.databases):
            self._violation(f"{node.name} told of final block {known} and now ends at {final}")
        for header in client.headers(known + 1) if final > known else ():
            self._same(node.name, header)
            self._known[place] = header.number
        if client is node.client:
            node.height = final

    def _same(self, name: str, header: Header) -> None:
        hash = header_hash(header)
        with self._lock:
            if self._hashes.setdefault(header.number, hash) != hash:
                self._violation(f"fork: {name} has another final block {header.number} than others")
            elif header.number > self.height:
                self._advance(time.monotonic())
                self._network.sets.add(header)
                self.height = header.number

    def _advance(self, now: float) -> None:
        since = self._network.quorum_since()
        if since is not None and since > self.advances[-1]:
            self.resumptions.append(Resumption(now, now - since))
        self.advances.append(now)

    def _measure(self) -> None:
        """Finality must go on within RESUME_S of the last block, or of a quorum being able again."""
        while not self._stopping.wait(MEASURE_S):
            since, advance = self._network.quorum_since(), self.advances[-1]
            if since is None or time.monotonic() - max(since, advance) <= RESUME_S:
                continue
            if self._stalled != advance:
                self._stalled = advance
                able = ", ".join(node.name for node in self._network.able())
                self._violation(
                    f"nothing became final for {RESUME_S:.0f} s after block {self.height}, epoch "
                    f"{self._network.sets.epoch}, {time.strftime('%H:%M:%S')}, though these were able: {able}"
                )

    def _read(self) -> None:
        """Logs forget what is final when they grow: long before, they are read."""
        while not self._stopping.wait(LOGS_EVERY_S):
            self.read_logs()

    def _read_log(self, node: Validator) -> None:
        try:
            first, records = read_log(node.consensus_log)
        except (OSError, NodeStartError):
            return  # Not there, being replaced, or damaged on purpose.
        self.votes.take(node.name, node.key.public, first, records)

    def _violation(self, text: str) -> None:
        if text not in self.violations:
            self.violations.append(text)

"""Miners, their nodes and one chain in one process, in virtual time, without network or consensus.

Calls are real signed extrinsics, validated as by a pool when they are submitted and applied by the real
runtime. Authors take turns; a block comes as soon as there is a call to put in it, but not before the block
interval is over, otherwise after a heartbeat. Blobs go over an exchange that keeps to their visibility; what a
miner fetched it serves on.

A miner's clock goes on while it trains and predicts (learners.TimedLearner). Until it has caught up with it the
miner looks at no view, its calls reach the leader no earlier, and then it looks at the newest one, as a worker
does. What one miner does at a time and what another does earlier is computed in another order than it
happens: that changes nothing, since records, weights and models are shown by the chain's phase alone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from node.experiment.memory_chain import MemoryChain
from node.rpc.worker_service import salt
from pallets.offchain import BlobUnavailable, CallRefused, Half
from pallets.round.view import round_view
from pocl.hashing import blob_name
from pocl.keys import Keypair
from pocl.v1.round_pb2 import PHASE_NONE, PREDICT, VOTE
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.worker_service_pb2 import AFTER_REVEAL, AFTER_TRAIN, PRIVATE, PUBLIC
from runtime.blocks import ExecutedBlock
from runtime.execution import DoesNotFit
from runtime.frame import InvalidTransaction
from runtime.frame.errors import RuntimeFault

KEEP_ROUNDS = 2
"""Rounds whose blobs and files a node holds, the current one included; what the chain stands on stays in any case."""

_SERVED_FROM: Mapping[int, int] = {AFTER_TRAIN: PREDICT, AFTER_REVEAL: VOTE, PUBLIC: PHASE_NONE}

Place = tuple[Keypair, str, str, int]
"""One call: who, pallet, function, round."""


@dataclass(frozen=True)
class Pace:
    """Virtual milliseconds: between blocks, between blocks without work, and from a call to the next leader."""

    block_interval_ms: int
    heartbeat_ms: int
    call_ms: int = 0


@dataclass(frozen=True)
class Blob:
    """A stored blob."""

    data: bytes
    round: int
    visibility: int


@dataclass(frozen=True)
class Waiting:
    """A signed call in the pool, and when it reaches the leader."""

    data: bytes
    due_ms: int


class MemoryNode:
    """One miner's node: implements pallets.offchain_protocols.Context over the network."""

    def __init__(self, network: MemoryNetwork, key: Keypair) -> None:
        self.network = network
        self.key = key
        self.account = key.public
        self.genesis_hash = network.chain.genesis_hash
        self.clock_ms = network.now_ms
        """The miner's present, which may be ahead of the last block."""
        self.blobs: dict[bytes, Blob] = {}
        self.files: dict[tuple[int, str], bytes] = {}
        self.reports: dict[int, dict[str, Any]] = {}
        self.errors: list[str] = []

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        """Sign a call and put it into the pool. Raise CallRefused."""
        self.network.submit(self.key, pallet, function, args, round, self.clock_ms)

    def salt(self, round: int, kind: str) -> bytes:
        """Return what the miner's real node would."""
        return salt(self.key, self.genesis_hash, round, kind)

    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        """Store a blob for serving and return its name."""
        name = blob_name(data)
        self.blobs[name] = Blob(data, round, visibility)
        return name

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        """Return the blob from the own store or from the others, `holder` first. Raise BlobUnavailable."""
        if name in self.blobs:
            return self.blobs[name].data
        for peer in self.network.peers(holder):
            data = None if peer is self else peer.serve(name, self.account)
            # As a network does: what does not have the name that was asked for is thrown away.
            if data is not None and len(data) <= max_bytes and blob_name(data) == name:
                self.blobs[name] = Blob(data, self.network.view.round, PUBLIC)
                return data
        raise BlobUnavailable(name.hex())

    def serve(self, name: bytes, asker: bytes) -> bytes | None:
        """Return a blob to another miner if it may be served now."""
        blob = self.blobs.get(name)
        view = self.network.view
        if blob is None or blob.visibility == PRIVATE:
            return None
        early = blob.round == view.round and PHASE_NONE < view.state.phase < _SERVED_FROM[blob.visibility]
        return None if early else blob.data

    def keep(self, round: int, name: str, data: bytes) -> None:
        """Write one of the miner's own files of a round."""
        self.files[round, name] = data

    def kept(self, round: int, name: str) -> bytes | None:
        """Return what `keep` wrote, or None."""
        return self.files.get((round, name))

    def report(self, **measures: Any) -> None:
        """Note what the worker measured, the newest report of a round in place of those before."""
        self.reports[measures["round"]] = measures
        if "error" in measures:
            self.errors.append(measures["error"])

    def now_ms(self) -> int:
        """Return the miner's clock."""
        return self.clock_ms

    def forget(self, before: int, current: Container[bytes]) -> None:
        """Drop what belongs to rounds before this one, but not what the chain stands on at present."""
        self.blobs = {
            name: blob for name, blob in self.blobs.items() if blob.round >= before or name in current
        }
        self.files = {place: data for place, data in self.files.items() if place[0] >= before}


class MemoryNetwork:
    """Chain, pool and exchange. Members are added with `join`; then every `block` moves all of them on."""

    def __init__(self, chain: MemoryChain, pace: Pace) -> None:
        self.chain = chain
        self.pace = pace
        self.pool: dict[Place, Waiting] = {}
        self.refused: list[tuple[Keypair, str]] = []
        """Who was refused with which error, at submission or by a block's author."""
        self.nodes: dict[Keypair, MemoryNode] = {}
        self.miners: dict[Keypair, Half] = {}
        self._accounts: dict[bytes, MemoryNode] = {}
        self._verified: set[bytes] = set()
        self.view = self._view()

    @property
    def now_ms(self) -> int:
        """The last block's timestamp."""
        return self.chain.head.header.timestamp_ms

    def join(self, node: MemoryNode, miner: Half) -> None:
        """Add a member, or give one that is there a new worker."""
        self.nodes[node.key] = node
        self._accounts[node.account] = node
        self.miners[node.key] = miner

    def peers(self, holder: bytes) -> list[MemoryNode]:
        """Return whom to ask for a blob, the named holder first."""
        first = self._accounts.get(holder)
        others = [node for node in self.nodes.values() if node is not first]
        return others if first is None else [first, *others]

    def submit(self, key: Keypair, pallet: str, function: str, args: Message, round: int, at_ms: int) -> None:
        """Take a call into the pool, as a node does for its worker. Raise CallRefused."""
        place = (key, pallet, function, round)
        if place in self.pool:
            return
        data = self.chain.sign(key, pallet, function, args, round=round)
        try:
            self._verified.add(self.chain.validate(data).hash)
        except InvalidTransaction as error:
            self.refused.append((key, error.label or error.code))
            raise CallRefused(error.label, error.reason) from None
        self.pool[place] = Waiting(data, at_ms + self.pace.call_ms)

    def block(self) -> ExecutedBlock:
        """Make the next block, and let every miner that is free look at it."""
        at_ms = self._next_block_ms()
        due = sorted(
            (place for place, call in self.pool.items() if call.due_ms <= at_ms),
            key=lambda place: self.pool[place].due_ms,
        )
        places = {self.pool[place].data: place for place in due}
        kept = set()

        def on_refused(data: bytes, error: RuntimeFault) -> None:
            key = places[data][0]
            if isinstance(error, DoesNotFit):
                kept.add(data)  # the next block has room for it
            else:
                self.refused.append((key, getattr(error, "label", "") or str(error)))

        block = self.chain.build(
            list(places), timestamp_ms=at_ms, author=None, on_refused=on_refused, verified=self._verified
        )
        for data, place in places.items():
            if data not in kept:
                del self.pool[place]
        self.chain.advance(block)
        before, self.view = self.view, self._view()
        if self.view.round != before.round:
            self._verified.clear()
            current = (self.view.state.global_model, self.view.state.server_state)
            for node in self.nodes.values():
                node.forget(self.view.round - KEEP_ROUNDS + 1, current)
        self._step_miners()
        return block

    def run_until(self, reached: Callable[[RoundView], bool], max_blocks: int) -> None:
        """Make blocks until the view is as wanted. Raise AssertionError after too many of them."""
        for _ in range(max_blocks):
            if reached(self.view):
                return
            self.block()
        raise AssertionError(f"not reached after {max_blocks} blocks: {self.view}")

    def may_step(self, key: Keypair) -> bool:
        """Tell whether a miner takes part at present."""
        return True

    def _step_miners(self) -> None:
        """Let each miner that is or becomes free before the next block look at the view."""
        now_ms = self.now_ms
        for node in sorted(self.nodes.values(), key=lambda node: max(node.clock_ms, now_ms)):
            start_ms = max(node.clock_ms, now_ms)
            busy = start_ms > now_ms and start_ms >= self._next_block_ms()
            if not busy and self.may_step(node.key):
                node.clock_ms = start_ms
                self.miners[node.key].step(self.view)

    def _next_block_ms(self) -> int:
        soonest = self.now_ms + self.pace.block_interval_ms
        heartbeat = self.now_ms + self.pace.heartbeat_ms
        if self.view.state.phase == PHASE_NONE:
            return soonest
        due = min((call.due_ms for call in self.pool.values()), default=heartbeat)
        return min(max(soonest, due), heartbeat)

    def _view(self) -> RoundView:
        header = self.chain.head.header
        return round_view(self.chain.pallets(), header.number, self.chain.head.hash)

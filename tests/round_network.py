"""A whole network of miners in one process: the real runtime, the real off-chain halves, virtual time.

    network = RoundNetwork()                        # four honest miners
    network = RoundNetwork({CHARLIE: nan_weights})  # one of them an adversary (tests/adversaries)
    network.run_round()                             # blocks until the round has ended
    network.view.summary, network.events(...), network.refused

Calls are real signed extrinsics, validated as by a pool when they are submitted. Authors take turns; a block
comes at once when there is something to put in it, otherwise after a heartbeat. After every block each miner
steps on the round's view and every pallet's try_state is checked (by the TestChain). Blobs go over an
exchange that keeps to their visibility; what a miner fetched it serves on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from pallets.offchain import BlobUnavailable, CallRefused, Half, Learner, Miner
from pallets.round.view import round_view
from pocl.extrinsics import u128
from pocl.hashing import blob_name, hash256
from pocl.keys import Keypair
from pocl.v1.round_pb2 import (
    PHASE_NONE,
    PREDICT,
    VOTE,
    RoundConfig,
    RoundSummary,
)
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.worker_service_pb2 import AFTER_REVEAL, AFTER_TRAIN, PRIVATE, PUBLIC
from runtime.blocks import ExecutedBlock
from runtime.frame import InvalidTransaction
from tests.pallets.harness import VALIDATORS, TestChain
from tests.small_learner import LINEAR, SmallLearner

M = TypeVar("M", bound=Message)

HEARTBEAT_MS = 1000
BUSY_MS = 100
MAX_BLOCKS = 150
"""Far more than a round whose phases all end late."""

_SERVED_FROM = {AFTER_TRAIN: PREDICT, AFTER_REVEAL: VOTE, PUBLIC: PHASE_NONE}


def round_config(**changes: Any) -> RoundConfig:
    """Return the rules of these rounds: short phases, two winners."""
    rules: dict[str, Any] = {
        "winners": 2, "test_records": 20, "classes": 10, "min_miners": 2,
        "train_ms": 8000, "predict_ms": 6000, "reveal_ms": 3000, "vote_ms": 3000, "audit_ms": 6000,
        "aggregate_ms": 6000, "aggregate_cap_ms": 20000, "heartbeat_ms": HEARTBEAT_MS,
        "voting": "screened", "reward": "accuracy", "aggregation": "fedavg",
        "emission": u128(10**9), "base_share_bp": 2000, "transfers_per_miner": 4,
        "audit_tolerance_bp": 200, "screen_margin_bp": 3000,
        "max_weights_bytes": 100_000, "max_records_bytes": 100_000, "keep_rounds": 4,
    }  # fmt: skip
    return RoundConfig(**(rules | changes))


class Blob:
    """A stored blob."""

    def __init__(self, data: bytes, round: int, visibility: int) -> None:
        self.data = data
        self.round = round
        self.visibility = visibility


class MinerNode:
    """One miner's node: a Context over the network. An adversary changes what it says and whom it serves."""

    def __init__(self, network: RoundNetwork, key: Keypair) -> None:
        self.rewrite: Callable[[str, Message], Message] = lambda function, args: args
        """What it submits when its halves submit `args`."""
        self.answer: Callable[[bytes, bytes], bytes | None] = lambda data, asker: data
        """What it gives to an asking account when it might serve `data`."""
        self.network = network
        self.key = key
        self.account = key.public
        self.genesis_hash = network.chain.genesis_hash
        self.blobs: dict[bytes, Blob] = {}
        self.files: dict[tuple[int, str], bytes] = {}
        self.reports: dict[int, dict[str, Any]] = {}
        self.errors: list[str] = []
        self._clock_ms = 0

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        self.network.submit(self.key, pallet, function, self.rewrite(function, args), round)

    def salt(self, round: int, kind: str) -> bytes:
        return hash256("test/salt", self.key.seed, round.to_bytes(8, "big"), kind.encode())

    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        name = blob_name(data)
        self.blobs[name] = Blob(data, round, visibility)
        return name

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        if name in self.blobs:
            return self.blobs[name].data
        peers = sorted(self.network.nodes.values(), key=lambda node: node.account != holder)
        for peer in peers:
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
        return None if early else self.answer(blob.data, asker)

    def keep(self, round: int, name: str, data: bytes) -> None:
        self.files[round, name] = data

    def kept(self, round: int, name: str) -> bytes | None:
        return self.files.get((round, name))

    def report(self, **measures: Any) -> None:
        self.reports[measures["round"]] = measures
        if "error" in measures:
            self.errors.append(measures["error"])

    def now_ms(self) -> int:
        # Goes on at every look, so that whatever is measured has a length.
        self._clock_ms += 1
        return self._clock_ms


Adversary = Callable[[MinerNode, Learner], Half]
"""Makes a miner that is not honest of what an honest one is made of."""


class RoundNetwork:
    """Miners, chain, pool and exchange."""

    def __init__(
        self,
        adversaries: Mapping[Keypair, Adversary] | None = None,
        *,
        keys: Sequence[Keypair] = VALIDATORS,
        learners: Mapping[Keypair, Learner] | None = None,
        kind: str = LINEAR,
        **rules: Any,
    ) -> None:
        config = {
            "round": {"config": round_config(**rules)},
            "model_propose": {"task": b"{}"},
            "aggregation": {"global_model": bytes(32)},
        }
        self.chain = TestChain(validators=keys, config=config)
        self.pool: dict[tuple[Keypair, str, str, int], bytes] = {}
        self.refused: list[tuple[Keypair, str]] = []
        """Who was refused with which error, at submission or by a block's author."""
        self.nodes: dict[Keypair, MinerNode] = {}
        self.learners: dict[Keypair, Learner] = {}
        self.miners: dict[Keypair, Half] = {}
        self._held: set[Keypair] = set()
        self._makers = {key: (adversaries or {}).get(key, Miner) for key in keys}
        self.view = self._view()
        for seed, key in enumerate(keys):
            self.nodes[key] = MinerNode(self, key)
            self.learners[key] = (learners or {}).get(key) or SmallLearner(seed, kind=kind)
            self.restart(key)

    def submit(self, key: Keypair, pallet: str, function: str, args: Message, round: int) -> None:
        """Take a call into the pool, as a node does for its worker."""
        place = (key, pallet, function, round)
        if place in self.pool:
            return
        data = self.chain.sign(key, pallet, function, args, round=round)
        try:
            self.chain.validate(data)
        except InvalidTransaction as error:
            self.refused.append((key, error.label or error.code))
            raise CallRefused(error.label, error.reason) from None
        self.pool[place] = data

    def block(self) -> ExecutedBlock:
        """Make a block of what is in the pool, and let every miner look at it."""
        refused: list[Any] = []
        after_ms = BUSY_MS if self.pool or self.view.state.phase == PHASE_NONE else HEARTBEAT_MS
        block = self.chain.block(*self.pool.values(), after_ms=after_ms, refused=refused)
        places = {data: place for place, data in self.pool.items()}
        for data, error in refused:
            self.refused.append((places[data][0], getattr(error, "label", "") or str(error)))
        self.pool.clear()
        self.view = self._view()
        for key, miner in self.miners.items():
            if key not in self._held:
                miner.step(self.view)
        return block

    def run_until(self, reached: Callable[[RoundView], bool]) -> None:
        """Make blocks until the view is as wanted."""
        for _ in range(MAX_BLOCKS):
            if reached(self.view):
                return
            self.block()
        raise AssertionError(f"not reached after {MAX_BLOCKS} blocks: {self.view}")

    def run_round(self) -> RoundSummary:
        """Run until the next round, or the one that is open, has ended; return how."""
        number = self.view.round + (self.view.state.phase == PHASE_NONE)
        self.run_until(lambda view: view.round == number and view.HasField("summary"))
        return self.view.summary

    def events(self, cls: type[M]) -> list[M]:
        """Return the events of a kind in all blocks so far."""
        return [event for block in self.chain.blocks for event in self.chain.events(cls, block)]

    def hold(self, key: Keypair) -> None:
        """Let a miner see no views until it is released."""
        self._held.add(key)

    def release(self, key: Keypair) -> None:
        """Let a miner that was held see views again."""
        self._held.remove(key)

    def restart(self, key: Keypair) -> None:
        """Give a miner a new worker: only its node's blobs and files are left."""
        self.miners[key] = self._makers[key](self.nodes[key], self.learners[key])

    def _view(self) -> RoundView:
        head = self.chain.head
        pallets = self.chain.runtime.bind(self.chain.state, head.header, self.chain.genesis_hash)
        return round_view(pallets, head.header.number, head.hash)

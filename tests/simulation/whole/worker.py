"""A node's worker: the pallets' off-chain halves over a learner, and the node behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from node.consensus.call_record import CallWithheld
from node.consensus.signing import log_for_call, note
from node.pool import AlreadyInPool, PoolError, Underpriced
from node.rpc.worker_service import salt
from pallets.offchain import BlobUnavailable, CallRefused, Miner
from pallets.offchain_protocols import Trained
from pocl.extrinsics import extrinsic_hash
from pocl.hashing import blob_name
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.worker_service_pb2 import AFTER_TRAIN
from runtime.codec import encode
from runtime.frame import InvalidTransaction
from runtime.offences import TWIN_CALLS
from tests.simulation.whole.world import MemoLearner

if TYPE_CHECKING:
    from tests.simulation.whole.node import WholeNode


class _Learner(MemoLearner):
    """One whose every training gives a proposal of its own, as real ones do: who forgets one makes another."""

    def __init__(self, node: WholeNode) -> None:
        super().__init__(node.learner)
        object.__setattr__(self, "_node", node)

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train, and count it: no weight depends on how many samples a miner says it has."""
        trained = super().train(global_model, round, deadline)
        node: WholeNode = self.__dict__["_node"]
        node.trainings += 1
        return replace(trained, sample_count=trained.sample_count + node.trainings)


class Worker:
    """Implements pallets.offchain_protocols.Context. A blob is fetched in no time, or cannot be had now."""

    def __init__(self, node: WholeNode) -> None:
        self.node = node
        self.account = node.account
        self.genesis_hash = node.simulation.genesis_hash
        self.miner = Miner(self, _Learner(node), parallel_fetches=1)
        self._waiting = False

    def wake(self) -> None:
        """There is a new final block: look at it, after what is under way."""
        if not self._waiting:
            self._waiting = True
            self.node.later(self.node.simulation.random.uniform(5, 80), self._step)

    def _step(self) -> None:
        self._waiting = False
        self.miner.step(self.node.view())

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        try:
            self.note(Call(pallet=pallet, function=function, args=encode(args)), round)
        except CallWithheld as error:
            self.node.simulation.trace(f"node {self.node.index} withholds {function}: {error}")
            raise CallRefused("", str(error)) from None
        self._tell(pallet, function, args, round)
        data = self.signed(pallet, function, args, round)
        try:
            self.node.pool.submit(data)
        except (AlreadyInPool, Underpriced):
            return
        except PoolError as error:
            raise CallRefused("", str(error)) from None
        except InvalidTransaction as error:
            included = self.node.chain.database.extrinsic_location(extrinsic_hash(data)) is not None
            if not included and not error.label.rpartition(".")[2].startswith("Already"):
                raise CallRefused(error.label, error.reason) from None

    def note(self, call: Call, round: int) -> None:
        """Write down what is about to be signed. Raise CallWithheld when it may not be."""
        node = self.node
        note(log_for_call(node.journal, node.core, node.chain, round), call, round)

    def _tell(self, pallet: str, function: str, args: Message, round: int) -> None:
        """Show the watch what others may hear from now on, where a second one of its kind would be an offence."""
        if self.node.watched and (pallet, function) in TWIN_CALLS:
            self.node.simulation.watch.called(self.node, function, round, encode(args))

    def signed(self, pallet: str, function: str, args: Message, round: int) -> bytes:
        """Return the signed call."""
        return self.node.simulation.runtime.sign(
            self.node.key, pallet, function, args, genesis_hash=self.genesis_hash, round=round
        )

    def salt(self, round: int, kind: str) -> bytes:
        return salt(self.node.key, self.genesis_hash, round, kind)

    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        return self.node.blobs.put(data, round, visibility)

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        node = self.node
        data = node.blobs.get(name)
        if data is None:
            data = self._pull(name, max_bytes, holder)
            node.blobs.put(data, node.chain.epoch_change.epoch, AFTER_TRAIN)
        return data

    def _pull(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        node = self.node
        run = node.simulation
        others = [other for other in run.nodes if other.index != node.index and other.up]
        for other in sorted(others, key=lambda other: other.account != holder):
            if run.network.linked(node.index, other.index):
                data = other.serve_blob(name)
                if data is not None and len(data) <= max_bytes and blob_name(data) == name:
                    return data
        raise BlobUnavailable(name.hex())

    def keep(self, round: int, name: str, data: bytes) -> None:
        self.node.disk.keep(round, name, data)

    def kept(self, round: int, name: str) -> bytes | None:
        return self.node.disk.kept(round, name)

    def report(self, **measures: Any) -> None:
        if "error" in measures:
            self.node.simulation.trace(f"node {self.node.index}, worker: {measures['error']}")

    def now_ms(self) -> int:
        return int(self.node.simulation.network.now)

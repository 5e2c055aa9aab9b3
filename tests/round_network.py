"""A whole network of miners in one process: the real runtime, the real off-chain halves, virtual time.

    network = RoundNetwork()                        # four honest miners
    network = RoundNetwork({CHARLIE: nan_weights})  # one of them an adversary (tests/adversaries)
    network.run_round()                             # blocks until the round has ended
    network.view.summary, network.events(...), network.refused

The network is that of simulated experiments (node/experiment/network.py), but miners need no time for what
they do, and every block is executed again and every pallet's try_state checked after it (by the TestChain).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from node.experiment.network import MemoryNetwork, MemoryNode, Pace
from pallets.offchain import Half, Learner, Miner
from pocl.extrinsics import u128
from pocl.keys import Keypair
from pocl.v1.round_pb2 import PHASE_NONE, RoundConfig, RoundSummary
from pocl.v1.rounds_service_pb2 import RoundView
from tests.pallets.harness import VALIDATORS, TestChain
from tests.small_learner import LINEAR, SmallLearner

M = TypeVar("M", bound=Message)

HEARTBEAT_MS = 1000
BUSY_MS = 100
MAX_BLOCKS = 150
"""Far more than a round whose phases all end late."""


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


class MinerNode(MemoryNode):
    """One miner's node. An adversary changes what it says and whom it serves."""

    def __init__(self, network: RoundNetwork, key: Keypair) -> None:
        super().__init__(network, key)
        self.rewrite: Callable[[str, Message], Message] = lambda function, args: args
        """What it submits when its halves submit `args`."""
        self.answer: Callable[[bytes, bytes], bytes | None] = lambda data, asker: data
        """What it gives to an asking account when it might serve `data`."""
        self._looks = 0

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        super().submit(pallet, function, self.rewrite(function, args), round)

    def serve(self, name: bytes, asker: bytes) -> bytes | None:
        data = super().serve(name, asker)
        return None if data is None else self.answer(data, asker)

    def now_ms(self) -> int:
        # Goes on at every look, so that whatever is measured has a length.
        self._looks += 1
        return self._looks


Adversary = Callable[[MinerNode, Learner], Half]
"""Makes a miner that is not honest of what an honest one is made of."""


class RoundNetwork(MemoryNetwork):
    """Miners, chain, pool and exchange."""

    chain: TestChain
    nodes: dict[Keypair, MinerNode]  # type: ignore[assignment]

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
        super().__init__(TestChain(validators=keys, config=config), Pace(BUSY_MS, HEARTBEAT_MS))
        self.learners: dict[Keypair, Learner] = {}
        self._held: set[Keypair] = set()
        self._makers = {key: (adversaries or {}).get(key, Miner) for key in keys}
        for seed, key in enumerate(keys):
            self.nodes[key] = MinerNode(self, key)
            self.learners[key] = (learners or {}).get(key) or SmallLearner(seed, kind=kind)
            self.restart(key)

    def may_step(self, key: Keypair) -> bool:
        return key not in self._held

    def run_until(self, reached: Callable[[RoundView], bool], max_blocks: int = MAX_BLOCKS) -> None:
        super().run_until(reached, max_blocks)

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
        node = self.nodes[key]
        self.join(node, self._makers[key](node, self.learners[key]))

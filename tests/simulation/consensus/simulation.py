"""One run: chaos for a while, then a network that works, and the question whether the chain goes on.

Everything is drawn from the seed. `run(seed)` raises Violation; the test then runs the seed again with its
trace.
"""

from __future__ import annotations

from random import Random

from node.consensus.types import Action
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import ConsensusMessage
from tests.simulation.consensus.adversaries import KINDS
from tests.simulation.consensus.nodes import Disk, HonestNode
from tests.simulation.consensus.toy_chain import GENESIS_HASH, ToyChain, account
from tests.simulation.consensus.watch import Watch
from tests.simulation.describe import describe
from tests.simulation.network import Conditions, VirtualNetwork, draw_conditions
from tests.simulation.watch import Violation

BLOCKS_AFTER = 5
"""Final blocks that every honest node must add after the network heals."""

MS_AFTER = 60_000
"""Virtual time they may take."""

VIEWS_AFTER = 40
"""Views they may take, epochs' together."""


class Simulation:
    """n validators of which f are faulty, for one seed."""

    def __init__(
        self, seed: int, honest_class: type[HonestNode] = HonestNode, *, tracing: bool = False
    ) -> None:
        self.random = random = Random(seed)
        self._tracing = tracing
        self.lines: list[str] = []
        n = random.choice((4, 7))
        members = n + random.choice((0, 0, 1))
        self.chain = ToyChain(members, n, random.randint(1, n), random.randint(2, 6))
        self.genesis_hash = GENESIS_HASH
        self.accounts = {index: account(index) for index in range(members)}
        faulty = set(random.sample(range(members), (n - 1) // 3))
        honest = set(range(members)) - faulty
        self.watch = Watch(self.chain, honest, self.accounts)
        self.network = VirtualNetwork(random, members, self._deliver)
        self.nodes: list[HonestNode] = []
        for index in range(members):
            kind = honest_class if index in honest else random.choice(KINDS)
            self.nodes.append(kind(self, index, self.accounts[index]))
            self.watch.owns(index, self.accounts[index])
        self.honest = [self.nodes[index] for index in sorted(honest)]
        self._healed = False

    def run(self) -> None:
        """Run chaos, heal, demand progress. Raise Violation."""
        for node in self.nodes:
            self.network.later(self.random.uniform(0, 100), node.start)
        chaos = self.random.uniform(2000, 6000)
        self._plan(chaos)
        self.network.run(chaos)
        self._heal()
        goal = self.watch.height + BLOCKS_AFTER
        before = {node.index: node.views for node in self.honest}
        self.network.run(chaos + MS_AFTER, lambda: all(node.height >= goal for node in self.honest))
        for node in self.honest:
            if node.height < goal:
                raise Violation(f"node {node.index} stands at {node.height}, not {goal}, long after healing")
            if node.views - before[node.index] > VIEWS_AFTER:
                raise Violation(f"node {node.index} needed {node.views - before[node.index]} views")

    # ---- what nodes tell

    def crashed(self, node: HonestNode) -> None:
        """Have a crashed node start again."""
        delay = self.random.uniform(50, 600)
        self.network.later(delay, self._restart, node, node.life)

    def final(self, node: HonestNode, block: Block, block_hash: bytes, parent: Header) -> None:
        """A node makes a block final."""
        if node in self.honest:
            self.trace(f"node {node.index}: block {block.header.number} {block_hash.hex()[:8]} is final")
            self.watch.final(node.index, block, block_hash, parent)

    def final_disk(self, asking: int, peer: int | None) -> Disk | None:
        """Return the disk that a sync request reaches: the peer's if it is there, else a random one's."""
        others = [node for node in self.honest if node.up and node.index != asking]
        if not others:
            return None
        chosen = next((node for node in others if node.index == peer), None)
        return (chosen or self.random.choice(others)).disk

    def trace(self, line: str) -> None:
        """Note what happens."""
        if self._tracing:
            self.lines.append(f"{self.network.now:9.1f} {line}")

    def trace_action(self, node: HonestNode, action: Action) -> None:
        """Note what a node does."""
        if self._tracing:
            self.trace(f"node {node.index} ({node.core.epoch.epoch}/{node.core.view}): {describe(action)}")

    # ---- chaos

    def _plan(self, chaos: float) -> None:
        random = self.random
        for _ in range(random.randint(1, 3)):
            self.network.later(random.uniform(0, chaos), self._change)
        for _ in range(random.randint(0, 4)):
            self.network.later(random.uniform(0, chaos), random.choice(self.honest).arm_crash)
        for _ in range(random.choice((0, 0, 1, 2))):
            self.network.later(random.uniform(0, chaos), self._power_cut)

    def _change(self) -> None:
        self.network.conditions = draw_conditions(self.random, len(self.nodes))
        self.trace(f"network: {self.network.conditions}")

    def _power_cut(self) -> None:
        """All stop at once: some between two steps, some within one."""
        for node in self.honest:
            node.arm_crash()
            if self.random.random() < 0.5:
                node.crash()

    def _heal(self) -> None:
        self.network.conditions = Conditions()
        self._healed = True
        self.trace("network: healed")
        for node in self.honest:
            node._crash_armed = False
            if not node.up:
                self._restart(node, node.life)

    def _restart(self, node: HonestNode, life: int) -> None:
        if not node.up and node.life == life:
            self.trace(f"node {node.index} starts")
            node.start()

    def _deliver(self, sender: int, receiver: int, message: ConsensusMessage) -> None:
        self.nodes[receiver].receive(sender, message)

"""One run: chaos for a while, then a network that works, and the question whether the chain goes on.

Everything is drawn from the seed. `run(seed)` raises Violation; the test then runs the seed again with its
trace.
"""

from __future__ import annotations

from random import Random

from node.consensus.types import Action
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage, VoteKind
from runtime.blocks import header_hash
from tests.simulation.consensus.adversaries import KINDS
from tests.simulation.consensus.network import Conditions, VirtualNetwork
from tests.simulation.consensus.nodes import Disk, HonestNode
from tests.simulation.consensus.toy_chain import ToyChain, account
from tests.simulation.consensus.watch import Violation, Watch

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
        random = self.random
        sides: list[set[int]] = []
        if random.random() < 0.5:
            cut = set(random.sample(range(len(self.nodes)), random.randint(1, len(self.nodes) - 1)))
            sides = [cut, set(range(len(self.nodes))) - cut]
        self.network.conditions = Conditions(
            min_delay=1,
            max_delay=random.choice((20, 60, 200)),
            slow=random.choice((0, 0.1, 0.3)),
            slow_delay=random.choice((300, 1500)),
            loss=random.choice((0, 0.05, 0.3)),
            duplication=random.choice((0, 0.1)),
            sides=sides,
        )
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


def describe(action: Action) -> str:
    """Return an action in one line, its hashes cut short."""
    name = type(action).__name__
    fields = (f"{field}={_short(getattr(action, field))}" for field in action.__slots__)
    return f"{name}({', '.join(fields)})"


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()[:8]
    if isinstance(value, tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    if isinstance(value, ConsensusMessage):
        return _short_message(value)
    if isinstance(value, Block):
        return f"block {value.header.number}"
    if isinstance(value, Certificate):
        return f"{VoteKind.Name(value.kind)} {value.epoch}/{value.view} {value.block_hash.hex()[:8]}"
    return str(value)


def _short_message(message: ConsensusMessage) -> str:
    if message.HasField("vote"):
        vote = message.vote
        kind = VoteKind.Name(vote.kind)
        return f"vote of {vote.validator}: {kind} {vote.epoch}/{vote.view} {vote.block_hash.hex()[:8]}"
    if message.HasField("certificate"):
        return _short(message.certificate)
    if message.HasField("proposal"):
        proposal = message.proposal
        block_hash = header_hash(proposal.block.header).hex()[:8]
        return f"proposal {proposal.epoch}/{proposal.view} on {proposal.parent_view}: {block_hash}"
    request = message.catch_up
    return f"request {request.epoch}/{request.view} {_short(tuple(request.missing))}"

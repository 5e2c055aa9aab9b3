"""One run of whole nodes: chaos for a while, then a network that works, and the question whether all goes on.

Everything is drawn from the seed. `run()` raises Violation.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

from google.protobuf.message import Message

from node.consensus.types import Action
from node.pool import PoolError
from pocl.extrinsics import extrinsic_hash, u128
from pocl.v1.coin_pb2 import CoinCall
from runtime.blocks import ExecutedBlock
from runtime.frame import InvalidTransaction
from runtime.offences import prove_equivocation
from tests.simulation.describe import describe
from tests.simulation.network import Conditions, VirtualNetwork, draw_conditions
from tests.simulation.scheme import keyed_hash_verify
from tests.simulation.watch import Violation
from tests.simulation.whole.adversaries import KINDS, Twin
from tests.simulation.whole.members import Members
from tests.simulation.whole.node import WholeNode
from tests.simulation.whole.watch import Watch
from tests.simulation.whole.world import CLIENTS, SharedRuntime, changing_world, world

CALM_MS = 400
"""Before it nothing is cut or stopped: a node without a log must find a quorum at block 0, or abstains."""

BLOCKS_AFTER = 4
"""Final blocks that every honest node must add after the network heals."""

MS_AFTER = 60_000
"""Virtual time they may take."""

VIEWS_AFTER = 40
"""Views they may take, epochs' together."""

ROUND_VIEWS_AFTER = 150
"""Views until a round has ended: every phase may last until its deadline, with a block each heartbeat."""

ROUND_MS_AFTER = 180_000
"""Virtual time a round may take: with two preferred leaders, one of them nine seconds ahead, every other view lasts
until the longest timeout."""

CHANGING = 0.25
"""The share of seeds in which the validator set changes."""

CHANGING_SETS = ((4, 1), (4, 2), (5, 1))
"""Validators at genesis, and others who may become some."""

TMPFS = Path("/dev/shm")


@contextmanager
def evidence_of_keyed_hashes() -> Iterator[None]:
    """Have the chain take evidence that is signed as everything in agreement is here."""
    prove = partial(prove_equivocation, verify=keyed_hash_verify)
    with patch("pallets.validators.pallet.prove_equivocation", prove):
        yield


class Skewed(WholeNode):
    """Keeps all rules, with a clock that is far off; counts among the faulty."""


class Amnesiac(WholeNode):
    """Keeps all rules, and loses its whole disk but the key, once; counts among the faulty."""


class Simulation:
    """n validators of which f are faulty, for one seed."""

    def __init__(
        self,
        seed: int,
        node_class: type[WholeNode] = WholeNode,
        faulty_classes: Sequence[type[WholeNode]] = (),
        *,
        tracing: bool = False,
    ) -> None:
        """The faulty are drawn from `faulty_classes`, by default from all there are."""
        self.random = random = Random(seed)
        self._tracing = tracing
        self.lines: list[str] = []
        self.folder = Path(tempfile.mkdtemp(dir=TMPFS if TMPFS.is_dir() else None, prefix="simulation-"))
        # A stream of its own: what the other seeds do does not hang on which ones have a changing set.
        self.changing = Random(f"changing/{seed}").random() < CHANGING
        self._losses = Random(f"losses/{seed}")
        n = random.choice((4, 4, 4, 4, 4, 7))
        self.world = changing_world(*random.choice(CHANGING_SETS)) if self.changing else world(n)
        self.genesis_hash = self.world.genesis.hash
        self.runtime = SharedRuntime()
        n = len(self.world.keys)
        faulty = random.sample(range(n), 1 if self.changing else (n - 1) // 3)
        kinds: list[type[WholeNode]] = [node_class] * n
        for index in faulty:
            kinds[index] = random.choice(faulty_classes or (*KINDS, Skewed, Amnesiac))
        keys = list(self.world.keys)
        for index in faulty:
            if kinds[index] is Twin:
                kinds.append(Twin)
                keys.append(keys[index])
        self.accounts = {index: key.public for index, key in enumerate(keys)}
        honest = {index for index, kind in enumerate(kinds) if kind.watched}
        self.watch = Watch(self.world, self.runtime, honest, self.accounts)
        self.network = VirtualNetwork(random, len(kinds), self._deliver)
        self.nodes: list[WholeNode] = []
        for index, (kind, key) in enumerate(zip(kinds, keys, strict=True)):
            node = kind(self, index, key, index)
            node.skew_ms = random.choice((-9000, 9000) if kind is Skewed else (0, 0, -40, 40, 250))
            self.nodes.append(node)
            self.watch.owns(index, key.public)
        self.honest = [node for node in self.nodes if node.watched]
        self.past_extrinsics: list[bytes] = []
        self._calls: list[bytes] = []
        self._nonces = [0] * len(CLIENTS)
        self.rounds_after = random.choice((0, 1, 2, 3) if self.changing else (0, 0, 0, 1, 1, 2))
        self._healed = False

    def run(self) -> None:
        """Run chaos, heal, demand progress. Raise Violation."""
        try:
            for node in self.nodes:
                self.trace(f"node {node.index}: {type(node).__name__}, clock {node.skew_ms:+} ms")
                self.network.later(self.random.uniform(0, 50), node.start)
            chaos = CALM_MS + self.random.uniform(1500, 5000)
            self._plan(chaos)
            with evidence_of_keyed_hashes():
                self.network.run(chaos)
                self._heal()
                self._demand(chaos)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _demand(self, chaos: float) -> None:
        goal, epoch = self.watch.height + BLOCKS_AFTER, self.epoch
        before = {node.index: node.views for node in self.honest}

        def grown() -> bool:
            return all(node.told >= goal for node in self.honest)

        self.network.run(chaos + MS_AFTER, grown)
        self._check_progress(grown(), before, VIEWS_AFTER, f"height {goal}")
        for last in range(epoch, epoch + self.rounds_after):
            before = {node.index: node.views for node in self.honest}

            def ended(last: int = last) -> bool:
                return self.epoch > last and not self._open_calls()

            self.network.run(self.network.now + ROUND_MS_AFTER, ended)
            self._check_progress(
                ended(), before, ROUND_VIEWS_AFTER, f"epoch {last + 1} with every client's call"
            )
        for node in self.honest:
            self.watch.kept_everything(node)
            self.watch.light_client_follows(node)

    def _check_progress(self, done: bool, before: dict[int, int], views: int, what: str) -> None:
        if not done:
            heights = {node.index: (node.told, node.up) for node in self.honest}
            raise Violation(f"long after healing not all are at {what}: {heights}")
        for node in self.honest:
            if node.views - before[node.index] > views:
                raise Violation(f"node {node.index} needed {node.views - before[node.index]} views to {what}")

    @property
    def epoch(self) -> int:
        """The epoch in which the slowest honest node is."""
        return min(node.chain.epoch_change.epoch for node in self.honest)

    # ---- what nodes tell

    def connect(self, node: WholeNode) -> None:
        """A node starts: handshakes with all it can reach."""
        for other in self.nodes:
            if other is not node and other.up and self.network.linked(node.index, other.index):
                self._handshake(node, other)

    def _handshake(self, one: WholeNode, other: WholeNode) -> None:
        one.on_peer(other.handshake())
        other.on_peer(one.handshake())

    def died(self, node: WholeNode, why: str) -> None:
        """A node is down: it starts again after a while."""
        self.trace(f"node {node.index} crashes: {why}")
        for other in self.nodes:
            if other.up:
                other.peers_by_index.pop(node.index, None)
        self.network.later(self.random.uniform(50, 600), self._restart, node, node.life)

    def final(self, node: WholeNode, blocks: Sequence[ExecutedBlock]) -> None:
        """A node reports blocks final."""
        if node.watched:
            for executed in blocks:
                self.trace(
                    f"node {node.index}: block {executed.header.number} {executed.hash.hex()[:8]} is final"
                )
            before = self.watch.height
            self.watch.final(node, blocks)
            for executed in blocks:
                if executed.header.number > before:
                    self.past_extrinsics += executed.block.extrinsics

    def trace(self, line: str) -> None:
        """Note what happens."""
        if self._tracing:
            self.lines.append(f"{self.network.now:9.1f} {line}")

    def trace_action(self, node: WholeNode, action: Action) -> None:
        """Note what a node does."""
        if self._tracing and node.core is not None:
            self.trace(f"node {node.index} ({node.core.epoch.epoch}/{node.core.view}): {describe(action)}")

    # ---- clients

    def _transfer(self) -> None:
        dest = self.random.choice(self.world.keys).public
        amount = u128(self.random.randint(1, 10**6))
        self.client_call("coin", "transfer", CoinCall.Transfer(dest=dest, amount=amount))

    def client_call(self, pallet: str, function: str, args: Message) -> None:
        """Have a client make a call, and submit it until it is final."""
        client = self.random.randrange(len(CLIENTS))
        nonce = self._nonces[client]
        data = self.runtime.sign(
            CLIENTS[client], pallet, function, args, genesis_hash=self.genesis_hash, nonce=nonce
        )
        self._nonces[client] += 1
        self._calls.append(data)
        self._submit(data)

    def _open_calls(self) -> list[bytes]:
        """Return the clients' calls that no honest node has reported final."""
        return [data for data in self._calls if extrinsic_hash(data) not in self.watch.included]

    def _submit(self, data: bytes) -> None:
        node = self.random.choice(self.nodes)
        if node.up:
            node.guarded(self._take, node, data)

    def _take(self, node: WholeNode, data: bytes) -> None:
        try:
            node.pool.submit(data)
        except (InvalidTransaction, PoolError):
            return

    def _submit_again(self) -> None:
        for data in self._open_calls():
            self._submit(data)
        self.network.later(700, self._submit_again)

    # ---- chaos

    def _plan(self, chaos: float) -> None:
        random, network = self.random, self.network

        def sometime() -> float:
            return random.uniform(CALM_MS, chaos)

        for _ in range(random.randint(1, 3)):
            network.later(sometime(), self._change)
        for _ in range(random.randint(0, 4)):
            network.later(sometime(), self._arm, random.choice(self.honest))
        for _ in range(random.choice((0, 0, 1, 2))):
            network.later(sometime(), self._power_cut)
        for _ in range(random.choice((0, 0, 1))):
            network.later(sometime(), self._kill_worker, random.choice(self.honest))
        for _ in range(self._losses.choice((0, 0, 1, 2))):
            when = self._losses.uniform(CALM_MS, chaos)
            network.later(when, self._lose_worker_files, self._losses.choice(self.honest))
        for node in self.nodes:
            if isinstance(node, Amnesiac):
                network.later(sometime(), self._lose_disk, node)
        for _ in range(random.randint(2, 6)):
            network.later(random.uniform(0, chaos), self._transfer)
        network.later(700, self._submit_again)
        if self.changing:
            Members(self).start()

    def _change(self) -> None:
        self.network.conditions = draw_conditions(self.random, len(self.nodes))
        self.trace(f"network: {self.network.conditions}")
        self._connect_all()

    def _connect_all(self) -> None:
        up = [node for node in self.nodes if node.up]
        for one in up:
            for other in up:
                new = one.index < other.index and other.index not in one.peers_by_index
                if new and self.network.linked(one.index, other.index):
                    self._handshake(one, other)

    def _arm(self, node: WholeNode) -> None:
        # Who has no log yet would abstain for two epochs, and count among the faulty.
        if node.up and node.core is not None:
            node.disk.arm(self.random.randint(1, 40))

    def _power_cut(self) -> None:
        """All stop, at once or one soon after the other."""
        at_once = self.random.random() < 0.5
        for node in self.nodes:
            if node.up and node.core is not None:
                if at_once or self.random.random() < 0.5:
                    node.die("power cut")
                else:
                    node.disk.arm(self.random.randint(1, 10))

    def _kill_worker(self, node: WholeNode) -> None:
        if node.up:
            node.worker = node.worker_class(node)
            node.worker.wake()

    def _lose_worker_files(self, node: WholeNode) -> None:
        """Somebody deletes `worker/`, and starts the worker or the whole node anew: its pool is empty then."""
        node.disk.files.clear()
        self.trace(f"node {node.index} loses its worker's files")
        if self._losses.random() < 0.5:
            self._kill_worker(node)
        elif node.up and node.core is not None:
            node.die("restart without the worker's files")

    def _lose_disk(self, node: WholeNode) -> None:
        # Before block 1 is final everywhere a lost log is not noticed (node/consensus/log.py says so).
        if all(other.told for other in self.honest):
            node.die("disk lost")
            node.disk.wipe()
            node.told = 0
            if self.random.random() < 0.5:
                node.disk.arm(self.random.randint(1, 6))
        elif not self._healed:
            self.network.later(100, self._lose_disk, node)

    def _heal(self) -> None:
        self.network.conditions = Conditions()
        self._healed = True
        self.trace("network: healed")
        for node in self.nodes:
            node.disk.left = None
            if not node.up:
                self._restart(node, node.life)
        self._connect_all()

    def _restart(self, node: WholeNode, life: int) -> None:
        if not node.up and node.life == life:
            self.trace(f"node {node.index} starts")
            node.start()

    def _deliver(self, sender: int, receiver: int, message: object) -> None:
        self.nodes[receiver].receive(sender, message)

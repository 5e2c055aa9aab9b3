"""A real node, with a validator's key, that breaks the rules of agreement in one named way:

    python -m tests.hostile.traitor DoubleVoter --chain ... --dev-key //Bob ...     (the options of `pocl node`)

It follows the chain, keeps a log and a database, and connects over libp2p as any node does. Its ways are those of
the simulation's faulty nodes (tests/simulation/whole/adversaries.py), and some more: only what is below them,
a simulated node in virtual time there, is a real node here.
"""

from __future__ import annotations

import atexit
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import trio

from node import service
from node.chain import Chain
from node.cli.node_command import command
from node.config import NodeConfig
from node.consensus import types as t
from node.consensus.driver import ConsensusDriver
from node.consensus.log import ConsensusLog
from node.metrics.instruments import Instruments
from node.network import Handlers, Network, Peer
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import ConsensusMessage
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from runtime.blocks import ExecutedBlock
from runtime.codec import encode
from tests.hostile import ways
from tests.simulation.whole import adversaries
from tests.simulation.whole.node import Transactions, WholeNode

KINDS: dict[str, type[adversaries.Faulty]] = {
    kind.__name__: kind
    for kind in (
        # Nothing that these do is an offence.
        adversaries.Silent,
        adversaries.VoteWithholder,
        adversaries.Late,
        adversaries.StaleReplayer,
        adversaries.Poisoner,
        ways.Forger,
        ways.GarbageVoter,
        ways.InvalidProposer,
        ways.BulkProposer,
        # These sign what no honest validator signs.
        adversaries.DoubleVoter,
        adversaries.ConflictingFinalizer,
        adversaries.EquivocatingProposer,
        adversaries.TwoFaced,
    )
}

OFFENDERS = frozenset({"DoubleVoter", "ConflictingFinalizer", "EquivocatingProposer", "TwoFaced"})
"""Whoever does so is found out and slashed."""

PROPOSERS = frozenset({"InvalidProposer", "BulkProposer", "EquivocatingProposer", "TwoFaced"})
"""They harm as leaders, and only a round's winners lead in the next epoch: they need a worker."""

LEADS = "traitor: leads"
"""Begins the line of the log where it proposes a block of its own."""


class Surroundings:
    """What the simulation is to a faulty node of its own, over real links. Nodes are the genesis validators."""

    def __init__(self, validators: Sequence[bytes], chain: Chain, network: Network) -> None:
        self.random = Random()
        self.genesis_hash = chain.genesis_hash
        self.nodes = sorted(validators)
        self.past_extrinsics: list[bytes] = []
        self.network = self.watch = self
        self.sleepers: trio.Nursery | None = None
        self.sent: Counter[str] = Counter()
        self._chain = chain
        self._links = network

    def place(self, account: bytes, epoch: int) -> int | None:
        """Return an account's index in the set, when this is the epoch."""
        change = self._chain.epoch_change
        if epoch != change.epoch or account not in change.validators:
            return None
        return list(change.validators).index(account)

    def broadcast(self, sender: int, message: Any) -> None:
        """Send to all others."""
        for receiver in range(len(self.nodes)):
            if receiver != sender:
                self.send(sender, receiver, message)

    def send(self, sender: int, receiver: int, message: Any, delay_ms: float = 0) -> None:
        """Send to one, if it is connected."""
        if delay_ms and self.sleepers is not None:
            self.sleepers.start_soon(self._send_later, receiver, message, delay_ms)
        else:
            self._send(receiver, message)

    async def _send_later(self, receiver: int, message: Any, delay_ms: float) -> None:
        await trio.sleep(delay_ms / 1000)
        self._send(receiver, message)

    def _send(self, receiver: int, message: Any) -> None:
        if isinstance(message, Transactions):
            self._links.broadcast_transactions(message.extrinsics)
            self.sent["transactions"] += len(message.extrinsics)
        else:
            self.sent[message.WhichOneof("message")] += 1
            self._links.send_consensus(self.nodes[receiver], encode(message))


class RealNode(WholeNode):
    """Takes the place of the simulated node below a faulty one's ways: what they leave alone is done for real."""

    def __init__(self, driver: TraitorDriver, surroundings: Surroundings, chain: Chain, key: Keypair) -> None:
        # Not WholeNode's: disk, pool and core are those of the real node.
        self.driver = driver
        self.simulation: Any = surroundings
        self.chain = chain
        self.key = key
        self.account = key.public
        self.index = surroundings.nodes.index(key.public)
        self.up = True
        self.senders: dict[int, Peer] = {}

    def broadcast(self, message: ConsensusMessage) -> None:
        self.simulation.broadcast(self.index, message)

    def send(self, peer: int, message: ConsensusMessage) -> None:
        self.simulation.send(self.index, peer, message)

    def _receive(self, sender: int, message: Any) -> None:
        if isinstance(message, ConsensusMessage):
            self.driver.take(self.senders[sender], message)

    def die(self, why: str) -> None:
        """Tell of a mistake in its ways, and go on."""
        print(f"traitor: {why}", file=sys.stderr, flush=True)


class RealSignatures:
    """Before all of a faulty node's classes: what it signs is signed with its key."""

    key: Keypair

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


class TraitorDriver(ConsensusDriver):
    """Lets a faulty node's ways have every message that comes and goes."""

    ways: adversaries.Faulty

    def take(self, peer: Peer, message: ConsensusMessage) -> None:
        """Take in a message as an honest node does."""
        super().on_message(peer, message)

    def on_message(self, peer: Peer, message: ConsensusMessage) -> None:
        place = self._place(peer)
        if place is None:
            super().on_message(peer, message)
        else:
            self.ways.senders[place] = peer
            self.ways.receive(place, message)

    async def _perform(self, action: t.Action, journal: ConsensusLog) -> None:
        self.ways.simulation.sleepers = self._nursery
        match action:
            case t.Persist(records):
                await super()._perform(t.Persist(tuple(self.ways.logged(records))), journal)
            case t.Broadcast(message):
                if message.proposal.block.header.author == self._key.public:
                    print(f"{LEADS} view {message.proposal.view}", file=sys.stderr, flush=True)
                self.ways.guarded(self.ways.broadcast, message)
            case t.Send(peer, message):
                place = self._place(peer)
                if place is not None:
                    self.ways.guarded(self.ways.send, place, message)
            case t.Blame() | t.Offence() | t.Halt():
                self.ways.report(action)
            case _:
                await super()._perform(action, journal)

    def _place(self, peer: Any) -> int | None:
        nodes = self.ways.simulation.nodes
        return nodes.index(peer.validator) if isinstance(peer, Peer) and peer.validator in nodes else None


class TraitorNode(service.Node):
    """The services of a node whose validator does not keep to the rules."""

    def __init__(
        self,
        kind: type[adversaries.Faulty],
        config: NodeConfig,
        chain: Chain,
        instruments: Instruments | None = None,
    ) -> None:
        self._kind = kind
        super().__init__(config, chain, instruments)

    def _make_driver(self) -> ConsensusDriver | None:
        key = self.config.validator_key
        assert key is not None
        made = super()._make_driver()
        assert isinstance(made, TraitorDriver)
        surroundings = Surroundings(self.config.chain.genesis.validators, self.chain, self.network)
        traitor: Any = type(self._kind.__name__, (RealSignatures, self._kind, RealNode), {})
        made.ways = traitor(made, surroundings, self.chain, key)
        made._executor.open_core = partial(  # type: ignore[method-assign]
            made._executor.open_core, core_class=self._kind.core_class
        )
        self.chain.on_final(partial(_remember, surroundings))
        atexit.register(_report, surroundings.sent)
        return made

    def _handlers(self) -> Handlers:
        return replace(super()._handlers(), final_number=lambda: self._ways().handshake().final_number)

    def _ways(self) -> adversaries.Faulty:
        assert isinstance(self.driver, TraitorDriver)
        return self.driver.ways

    def _serve_sync(self, request: SyncRequest) -> SyncResponse:
        return self._ways().serve_page(request)


def _remember(surroundings: Surroundings, blocks: Sequence[ExecutedBlock]) -> None:
    for executed in blocks:
        surroundings.past_extrinsics += executed.block.extrinsics
    del surroundings.past_extrinsics[:-500]


def _report(sent: Counter[str]) -> None:
    """Write what was sent, as the last line of the log."""
    said = ", ".join(f"{count} {name}" for name, count in sorted(sent.items()))
    print(f"traitor: {said or 'nothing'}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the node. The first word of the command line is the kind."""
    kind = KINDS[sys.argv.pop(1)]
    service.ConsensusDriver = TraitorDriver  # type: ignore[misc]
    service.Node = partial(TraitorNode, kind)  # type: ignore[assignment, misc]
    command(standalone_mode=True)


if __name__ == "__main__":
    main()

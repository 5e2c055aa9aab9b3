"""One core on a bench: four validators of the toy chain, messages made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.consensus import types as t
from node.consensus.core import Core
from node.consensus.leaders import leader
from node.consensus.scheme import SignatureScheme
from node.consensus.timing import Timing
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import NOTARIZE, Certificate, ConsensusMessage, Proposal, Vote, VoteKind
from runtime.blocks import header_hash
from runtime.certificates import make_certificate, proposal_message, vote_message
from tests.simulation.consensus.toy_chain import GENESIS_HASH, ToyChain, account
from tests.simulation.scheme import KeyedHashScheme

TIMING = Timing(leader_ms=1000, view_ms=2000, max_ms=30_000, stall_ms=500)


class Bench:
    """A core for validator `me` of `n`; it is started, and its blocks are executed as it asks."""

    def __init__(
        self,
        me: int | None = 0,
        *,
        n: int = 4,
        close_every: int = 3,
        records: Iterable[ConsensusMessage] = (),
        abstain_until: int = 0,
        schemes: Sequence[SignatureScheme] | None = None,
    ) -> None:
        self.chain = ToyChain(n, n, n, close_every)
        self.genesis = self.chain.genesis()
        self.opening = header_hash(self.genesis.header)
        self.info = self.chain.info(1, self.opening, 0)
        self.schemes = schemes or [KeyedHashScheme(account(index)) for index in range(n)]
        self.actions: list[t.Action] = []
        self.core = Core(
            scheme=self.schemes[me] if me is not None else KeyedHashScheme(None),
            timing=TIMING,
            genesis_hash=GENESIS_HASH,
            epoch=self.info,
            final=t.FinalBlock(self.opening, 0, None),
            records=records,
            abstain_until=abstain_until,
        )
        self.step(t.Started())

    # ---- what happens to the core

    def step(self, event: t.Event) -> list[t.Action]:
        """Give the core an event; return this step's actions."""
        actions = self.core.step(event)
        self.actions += actions
        return actions

    def receive(
        self, message: Proposal | Vote | Certificate, sender: int = 3, *, relayed: bool = False
    ) -> list[t.Action]:
        """Let a message come over the sender's connection, its own or an unknown one's."""
        wrapped = ConsensusMessage()
        field = {Proposal: "proposal", Vote: "vote", Certificate: "certificate"}[type(message)]
        getattr(wrapped, field).CopyFrom(message)
        return self.step(t.MessageReceived(wrapped, sender, None if relayed else account(sender)))

    def execute(self) -> list[t.Action]:
        """Answer the Validate that was asked last."""
        request = of(t.Validate, self.actions)[-1]
        return self.step(t.Validated(request.block_hash, True))

    def fire(self, kind: t.TimerKind) -> list[t.Action]:
        """Let a timer of the current view fire."""
        return self.step(t.TimerFired(t.Timer(kind, self.core.epoch.epoch, self.core.view)))

    # ---- what others make

    def block(self, view: int, parent: Header | None = None, extrinsics: Sequence[bytes] = ()) -> Block:
        """Return a block of this view's leader."""
        parent = parent or self.genesis.header
        author = leader(self.info, view)
        return self.chain.build(parent, 1, view, author, parent.timestamp_ms + 1, list(extrinsics))

    def vote(self, index: int, view: int, kind: VoteKind, block_hash: bytes = b"") -> Vote:
        """Return a signed vote."""
        message = vote_message(GENESIS_HASH, 1, view, kind, block_hash)
        signature = self.schemes[index].sign(message)
        return Vote(
            epoch=1, view=view, kind=kind, block_hash=block_hash, validator=index, signature=signature
        )

    def certificate(self, view: int, kind: VoteKind, block_hash: bytes = b"") -> Certificate:
        """Return a certificate of validators 1, 2, 3."""
        votes = {index: self.vote(index, view, kind, block_hash).signature for index in (1, 2, 3)}
        return make_certificate(1, view, kind, block_hash, votes, 4)

    def propose(
        self,
        view: int,
        block: Block,
        parent: Certificate | None = None,
        nullifications: Sequence[Certificate] = (),
    ) -> Proposal:
        """Return the proposal of this view's leader."""
        parent_view = parent.view if parent is not None else 0
        message = proposal_message(GENESIS_HASH, 1, view, header_hash(block.header), parent_view)
        author = self.info.validators.index(leader(self.info, view))
        return Proposal(
            epoch=1,
            view=view,
            block=block,
            parent_view=parent_view,
            parent_certificate=parent,
            nullifications=nullifications,
            signature=self.schemes[author].sign(message),
        )


def notarized(bench: Bench, block: Block, view: int = 1) -> Certificate:
    """Let view's block be proposed, executed and notarized."""
    bench.receive(bench.propose(view, block))
    bench.execute()
    certificate = bench.certificate(view, NOTARIZE, header_hash(block.header))
    bench.receive(certificate)
    return certificate


def of(kind: type[t.Action], actions: Iterable[t.Action]) -> list[t.Action]:
    """Return the actions of a kind."""
    return [action for action in actions if isinstance(action, kind)]


def votes(actions: Iterable[t.Action]) -> list[tuple[VoteKind, int]]:
    """Return kind and view of the votes that were broadcast."""
    messages = [action.message for action in of(t.Broadcast, actions)]
    return [(m.vote.kind, m.vote.view) for m in messages if m.HasField("vote")]


def records(actions: Iterable[t.Action]) -> list[ConsensusMessage]:
    """Return what was logged."""
    return [record for action in of(t.Persist, actions) for record in action.records]

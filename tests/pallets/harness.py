"""A chain in memory for tests: signs calls, makes blocks, and checks every block in every way there is.

chain = TestChain(pallets=LEDGER)                      # or the whole runtime: TestChain()
data = chain.sign(ALICE, "coin", "transfer", CoinCall.Transfer(...))
block = chain.block(data)                              # proposed, executed again, applied, try_state
chain.pallet(Coin).TotalIssuance.get()
chain.events(CoinEvent.TransferQueued)                 # of the last block
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from pallets.coin import Coin
from pallets.system import System
from pallets.timestamp import Timestamp
from pallets.validators import Validators
from pocl.extrinsics import sign_call, u128
from pocl.keys import Keypair
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import BlockLimits, ExecutedBlock
from runtime.codec import encode
from runtime.execution import DoesNotFit
from runtime.executive import Runtime
from runtime.frame import InvalidTransaction, Pallet
from runtime.frame.errors import RuntimeFault
from runtime.state import MemoryState
from runtime.transactions import ValidTransaction

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=Pallet)

ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, GRACE = (
    Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "Grace")
)
VALIDATORS = (ALICE, BOB, CHARLIE, DAVE)
RICH = 10**18
GENESIS_MS = 1_767_225_600_000
LEDGER: tuple[type[Pallet], ...] = (System, Timestamp, Coin, Validators)


def set_rules(bond: int = 0, slash: int = 0, **changes: int) -> ValidatorsConfig:
    """Return rules of the validator set: no bonds, and nobody put out for silence."""
    rules = {"unbonding_epochs": 2, "offline_rounds": 1000, "max_validators": 16} | changes
    return ValidatorsConfig(bond=u128(bond), slash=u128(slash), **rules)


class MemoryChainState(MemoryState):
    """A VersionedState in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[bytes, bytes] = {}
        self.version = -1

    def get_node(self, key: bytes) -> bytes | None:
        return self.nodes.get(key)

    def advance(self, block: ExecutedBlock) -> None:
        """Take in what a block did."""
        self.apply(block.changes)
        self.nodes.update(block.tree.nodes)
        for key in block.tree.stale:
            # Nobody reads an older version here: a tree that still needed this node would show it.
            self.nodes.pop(key)
        self.version = block.header.number


class TestChain:
    """Blocks on blocks, each final at once."""

    __test__ = False

    def __init__(
        self,
        *,
        pallets: Sequence[type[Pallet]] | None = None,
        validators: Sequence[Keypair] = VALIDATORS,
        balances: Mapping[Keypair, int] | None = None,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        limits: BlockLimits | None = None,
        rules: ValidatorsConfig | None = None,
        check: bool = True,
    ) -> None:
        if pallets is None:
            from pallets.assembly import RUNTIME

            pallets = RUNTIME.pallets
        if balances is None:
            balances = dict.fromkeys((ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, GRACE), RICH)
        self.runtime = Runtime(pallets, spec_version=1, transaction_version=1, limits=limits)
        self.validators = sorted(validators, key=lambda keypair: keypair.public)
        self.keys = {keypair.public: keypair for keypair in (*validators, *balances)}
        self.check = check
        genesis: dict[str, Mapping[str, Any]] = {
            "coin": {"balances": [(keypair.public, amount) for keypair, amount in balances.items()]},
            "validators": {
                "validators": [keypair.public for keypair in validators],
                "config": rules or set_rules(),
            },
        }
        self.state = MemoryChainState()
        self.blocks: list[ExecutedBlock] = []
        self._signed: dict[bytes, int] = {}
        block = self.runtime.build_genesis(genesis | dict(config or {}), GENESIS_MS)
        self.genesis_hash = block.hash
        self._take(block)

    @property
    def head(self) -> ExecutedBlock:
        """The last block."""
        return self.blocks[-1]

    def pallet(self, cls: type[P]) -> P:
        """Return a pallet bound to the state after the last block."""
        bound = self.runtime.bind(self.state, self.head.header, self.genesis_hash)[cls.name]
        assert isinstance(bound, cls)
        return bound

    def sign(
        self,
        who: Keypair,
        pallet: str,
        function: str,
        args: Message,
        *,
        round: int | None = None,
        nonce: int | None = None,
        tip: int = 0,
        valid_until: int = 0,
    ) -> bytes:
        """Return a signed call: operational with `round`, else normal with the account's next nonce."""
        if round is None and nonce is None:
            ahead = self._signed.get(who.public, 0)
            self._signed[who.public] = ahead + 1
            nonce = self.pallet(System).account(who.public).nonce + ahead
        return sign_call(
            who,
            Call(pallet=pallet, function=function, args=encode(args)),
            genesis_hash=self.genesis_hash,
            spec_version=self.runtime.spec_version,
            transaction_version=self.runtime.transaction_version,
            nonce=nonce,
            round=round,
            tip=tip,
            valid_until=valid_until,
        )

    def validate(self, data: bytes, verified: Container[bytes] = ()) -> ValidTransaction:
        """Validate an extrinsic on the state after the last block."""
        return self.runtime.validate_transaction(
            self.state, self.head.header, self.genesis_hash, data, verified=verified
        )

    def propose(
        self,
        *extrinsics: bytes,
        author: Keypair | None = None,
        after_ms: int = 1000,
        refused: list[tuple[bytes, RuntimeFault]] | None = None,
    ) -> ExecutedBlock:
        """Return a block on the last one, `after_ms` later, not applied.

        An extrinsic that it leaves out is an error unless there is a list `refused` to note it in.
        """

        def on_refused(data: bytes, error: RuntimeFault) -> None:
            if refused is None:
                raise error
            refused.append((data, error))

        parent = self.head.header
        if author is None:
            members = self.pallet(Validators).members()
            author = self.keys[members[parent.number % len(members)]]
        return self.runtime.propose(
            self.state,
            parent,
            self.genesis_hash,
            epoch=parent.next_epoch.epoch if parent.HasField("next_epoch") else parent.epoch,
            view=parent.number + 1,
            timestamp_ms=parent.timestamp_ms + after_ms,
            author=author.public,
            extrinsics=extrinsics,
            on_refused=on_refused,
        )

    def block(
        self,
        *extrinsics: bytes,
        author: Keypair | None = None,
        after_ms: int = 1000,
        refused: list[tuple[bytes, RuntimeFault]] | None = None,
    ) -> ExecutedBlock:
        """Propose a block, execute it as another node would, and apply it."""
        proposed = self.propose(*extrinsics, author=author, after_ms=after_ms, refused=refused)
        if self.check:
            executed = self.runtime.execute(self.state, self.head.header, self.genesis_hash, proposed.block)
            assert executed == proposed
        self._take(proposed)
        return proposed

    def run(self, *extrinsics: bytes) -> None:
        """Put each extrinsic into a block of its own."""
        for data in extrinsics:
            self.block(data)

    def events(self, cls: type[M], block: ExecutedBlock | None = None) -> list[M]:
        """Return the events of that message in the last block, or in a given one."""
        owner = next(pallet.name for pallet in self.runtime.pallets if cls in pallet.events)
        return [
            cls.FromString(event.data)
            for event in (block or self.head).events
            if (event.pallet, event.name) == (owner, cls.DESCRIPTOR.name)
        ]

    def failures(self, block: ExecutedBlock | None = None) -> Iterator[str]:
        """Yield the labels of the dispatch errors of the last block, or of a given one."""
        from pocl.v1.system_pb2 import SystemEvent

        for event in self.events(SystemEvent.ExtrinsicFailed, block):
            yield f"{event.pallet}.{event.error}"

    def refusal(self, data: bytes) -> InvalidTransaction | DoesNotFit:
        """Return why the next block cannot contain an extrinsic; nothing is applied."""
        refused: list[tuple[bytes, RuntimeFault]] = []
        self.propose(data, refused=refused)
        (entry,) = refused
        assert isinstance(entry[1], InvalidTransaction | DoesNotFit)
        return entry[1]

    def _take(self, block: ExecutedBlock) -> None:
        self.state.advance(block)
        self.blocks.append(block)
        self._signed.clear()
        self.runtime.try_state(self.state)

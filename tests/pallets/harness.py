"""A chain in memory for tests: signs calls, makes blocks, and checks every block in every way there is.

chain = TestChain(pallets=LEDGER)                      # or the whole runtime: TestChain()
data = chain.sign(ALICE, "coin", "transfer", CoinCall.Transfer(...))
block = chain.block(data)                              # proposed, executed again, applied, try_state
chain.pallet(Coin).TotalIssuance.get()
chain.events(CoinEvent.TransferQueued)                 # of the last block
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from node.experiment.memory_chain import MemoryChain, MemoryChainState
from pallets.coin import Coin
from pallets.system import System
from pallets.timestamp import Timestamp
from pallets.validators import Validators
from pocl.extrinsics import u128
from pocl.keys import Keypair
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import BlockLimits, ExecutedBlock
from runtime.execution import DoesNotFit
from runtime.executive import Runtime
from runtime.frame import InvalidTransaction, Pallet
from runtime.frame.errors import RuntimeFault

__all__ = ["MemoryChainState", "TestChain"]

M = TypeVar("M", bound=Message)

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


class TestChain(MemoryChain):
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
        runtime = Runtime(pallets, spec_version=1, transaction_version=1, limits=limits)
        self.validators = sorted(validators, key=lambda keypair: keypair.public)
        self.check = check
        self.blocks: list[ExecutedBlock] = []
        genesis: dict[str, Mapping[str, Any]] = {
            "coin": {"balances": [(keypair.public, amount) for keypair, amount in balances.items()]},
            "validators": {
                "validators": [keypair.public for keypair in validators],
                "config": rules or set_rules(),
            },
        }
        block = runtime.build_genesis(genesis | dict(config or {}), GENESIS_MS)
        super().__init__(runtime, block, (*validators, *balances))

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

        return self.build(
            extrinsics,
            timestamp_ms=self.head.header.timestamp_ms + after_ms,
            author=None if author is None else author.public,
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
        self.advance(proposed)
        return proposed

    def advance(self, block: ExecutedBlock) -> None:
        """Execute a block as another node would, and apply it."""
        if self.check and block.header.number:
            executed = self.runtime.execute(self.state, self.head.header, self.genesis_hash, block.block)
            assert executed == block
        super().advance(block)
        self.blocks.append(block)
        self.runtime.try_state(self.state)

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

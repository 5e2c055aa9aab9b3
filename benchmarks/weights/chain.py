"""A chain on LevelDB with many accounts and validators, whose blocks are weighed while a second node imports them.

A unit of weight is a microsecond of one core of the reference machine: one that takes `REFERENCE_HASH_US` for a
BLAKE2b hash from Python. A sample is the CPU time of importing and committing a block, multiplied by what a hash
should take and divided by what it took just before and after: so neighbours on the machine, or another machine,
change a weight by little.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from google.protobuf.message import Message

from benchmarks.framework import hash_us
from node.chain import Chain
from node.storage.database import Database
from pallets.assembly import RUNTIME
from pallets.round import Round
from pocl.extrinsics import extrinsic_hash, sign_call, u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.round_pb2 import RoundState
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import BlockLimits, ExecutedBlock, VersionedState
from runtime.certificates import make_certificate
from runtime.codec import encode
from runtime.executive import Runtime
from runtime.frame import Pallet
from tests.pallets.round.scripted import config as round_config

P = TypeVar("P", bound=Pallet)

REFERENCE_HASH_US = 0.4

VALIDATORS = 64
"""As many as the shipped chain specs allow."""
ACCOUNTS = 100_000
USERS = 12_000
"""Those of the accounts that sign here."""
BALANCE = 10**18
BOND = 10**12
GENESIS_MS = 1_767_225_600_000

UNLIMITED = BlockLimits(10**12, 1 << 40, 10**12, 1 << 40)

Prepare = Callable[[Mapping[str, Any]], None]


class Prepared(Pallet):
    """Brings block 0 into the state that is to be measured: what a chain comes to after many rounds."""

    name = "prepared"
    prepare: ClassVar[Sequence[Prepare]] = ()

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Let those that prepare see the bound pallets."""
        for prepare in self.prepare:
            prepare(self.env.pallets)


class WeighedChain:
    """Blocks are made by one node and weighed at another, which has not seen them."""

    def __init__(
        self,
        folder: Path,
        *,
        validators: int = VALIDATORS,
        accounts: int = ACCOUNTS,
        rules: Mapping[str, Any] | None = None,
        prepare: Sequence[Prepare] = (),
        limits: BlockLimits = UNLIMITED,
    ) -> None:
        keys = [Keypair(hash256("bench/validator", b"%d" % number)) for number in range(validators)]
        self.validators = sorted(keys, key=lambda key: key.public)
        self.users = [user(number) for number in range(USERS)]
        others = [hash256("bench/account", b"%d" % number) for number in range(accounts)]
        owners = [key.public for key in (*self.validators, *self.users)] + others
        pallet = type("Prepared", (Prepared,), {"prepare": prepare})
        self.runtime = Runtime(
            (*RUNTIME.pallets, pallet), spec_version=1, transaction_version=1, limits=limits
        )
        set_rules = ValidatorsConfig(
            bond=u128(BOND),
            slash=u128(BOND // 2),
            unbonding_epochs=16,
            offline_rounds=1000,
            max_validators=validators,
        )
        genesis = self.runtime.build_genesis(
            {
                "coin": {"balances": [(owner, BALANCE) for owner in owners]},
                "validators": {"validators": [key.public for key in keys], "config": set_rules},
                "round": {"config": round_config(**dict(rules or {}))},
            },
            GENESIS_MS,
        )
        self.genesis_hash = genesis.hash
        self._making, self._weighing = (
            Chain(self.runtime, Database.open(folder / name, genesis.hash), genesis)
            for name in ("making", "weighing")
        )
        self._head = genesis
        self.took_s = 0.0
        """CPU time of the last block's import and commit, as it was measured."""
        self._signed: dict[bytes, int] = {}

    def close(self) -> None:
        """Close both nodes."""
        self._making.close()
        self._weighing.close()

    def pallet(self, cls: type[P]) -> P:
        """Return a pallet bound to the state after the last block."""
        chain = self._making
        bound = self.runtime.bind(chain.final_state(), chain.final, self.genesis_hash)[cls.name]
        assert isinstance(bound, cls)
        return bound

    @property
    def head(self) -> ExecutedBlock:
        """The last block."""
        return self._head

    @property
    def state(self) -> VersionedState:
        """The state after it."""
        return self._making.final_state()

    @property
    def round(self) -> RoundState:
        """The current round."""
        state: RoundState = self.pallet(Round).State.get()
        return state

    def sign(
        self, who: Keypair, pallet: str, function: str, args: Message, *, round: int | None = None
    ) -> bytes:
        """Return a signed call: operational with `round`, else normal with the account's next nonce."""
        nonce = None
        if round is None:
            nonce = self._signed.get(who.public, 0)
            self._signed[who.public] = nonce + 1
        return sign_call(
            who,
            Call(pallet=pallet, function=function, args=encode(args)),
            genesis_hash=self.genesis_hash,
            spec_version=1,
            transaction_version=1,
            nonce=nonce,
            round=round,
        )

    def block(self, *calls: bytes) -> tuple[float, ExecutedBlock]:
        """Make a block of these calls; return what importing and committing it weighs, and the block."""
        parent = self._making.final
        refused: list[Exception] = []
        made = self._making.propose(
            self._making.final_hash,
            epoch=self._making.epoch_change.epoch,
            view=parent.number + 1,
            timestamp_ms=parent.timestamp_ms + 250,
            author=self._making.epoch_change.validators[parent.number % len(self.validators)],
            extrinsics=calls,
            verified={extrinsic_hash(data) for data in calls},
            on_refused=lambda data, error: refused.append(error),
        )
        if refused:
            raise RuntimeError(f"{len(refused)} of {len(calls)} calls were refused: {refused[0]}")
        n = len(self._making.epoch_change.validators)
        votes = dict.fromkeys(range(n), bytes(64))
        certificate = make_certificate(made.header.epoch, made.header.view, FINALIZE, made.hash, votes, n)
        self._making.finalize(made.hash, certificate)
        self._head = made
        before = hash_us()
        gc.collect()
        cpu = time.process_time()
        executed = self._weighing.import_block(made.block)
        self._weighing.finalize(executed.hash, certificate)
        self.took_s = time.process_time() - cpu
        return self.took_s * 1e6 * REFERENCE_HASH_US * 2 / (before + hash_us()), made

    def capacity(self, call: bytes) -> int:
        """Return how many of such calls a block has space for."""
        valid = self.runtime.validate_transaction(self.state, self._making.final, self.genesis_hash, call)
        limits = self.runtime.limits
        if valid.operational:
            return min(limits.operational_weight // valid.weight, limits.operational_bytes // len(call))
        return min(limits.normal_weight // valid.weight, limits.normal_bytes // len(call))

    def succeeding(self, *calls: bytes) -> float:
        """Return what a block of these calls weighs. Raise RuntimeError when one fails: it weighs less."""
        weight, block = self.block(*calls)
        failed = sum(event.name == "ExtrinsicFailed" for event in block.events)
        if failed:
            raise RuntimeError(f"{failed} of {len(calls)} calls failed")
        return weight

    def empty(self, blocks: int = 5) -> float:
        """Return what an empty block weighs now."""
        return statistics.median(self.block()[0] for _ in range(blocks))


def user(number: int) -> Keypair:
    """Return the key of a user."""
    return Keypair(hash256("bench/user", b"%d" % number))

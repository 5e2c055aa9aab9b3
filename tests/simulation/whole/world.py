"""What all runs have in common: keys, genesis blocks, timers, and short cuts that change nothing but the time.

A block is executed twice in a run, by its author and by the first that validates it, and once more by the watch;
the others get the same result (`SharedRuntime`). Extrinsics are signed for real and, since nobody in the
simulation changes a signed one, not verified again. What a learner is asked twice it answers from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from google.protobuf.message import Message

from node.chain_spec import ConsensusSpec
from pallets.assembly import RUNTIME
from pallets.offchain_protocols import Trained
from pallets.round.view import round_view
from pocl.extrinsics import extrinsic_hash, sign_call
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.round_pb2 import RoundConfig
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import ExecutedBlock, VersionedState, header_hash
from runtime.codec import encode
from runtime.executive import Runtime
from runtime.frame import InvalidTransaction
from runtime.state import ReadState
from runtime.transactions import ValidTransaction
from tests.pallets.harness import set_rules
from tests.round_network import round_config
from tests.small_learner import SmallLearner

GENESIS_MS = 1_767_225_600_000
RICH = 10**18
EMISSION = 10**9
BOND = 10**6
SLASH = 15 * 10**5
"""More than the bond: the rest comes out of the free balance."""

SPEC = ConsensusSpec(
    block_interval_ms=100, heartbeat_ms=500, leader_timeout_ms=900, view_timeout_ms=1500, max_timeout_ms=5000
)


def keys(what: str, count: int) -> list[Keypair]:
    """Return keys of the simulation, sorted by account."""
    made = [Keypair(hash256("simulation/key", what.encode(), bytes([number]))) for number in range(count)]
    return sorted(made, key=lambda keypair: keypair.public)


CLIENTS = keys("client", 3)


@dataclass(frozen=True)
class World:
    """A chain with so many validators."""

    keys: list[Keypair]
    """Of all who may be validators, sorted by account."""
    validators: list[Keypair]
    """Of those that are at genesis."""
    genesis: ExecutedBlock
    issuance: int


@lru_cache
def world(validators: int) -> World:
    """Return the chain of that many validators, who stay unless they are guilty of an offence."""
    members = keys("validator", validators)
    rules = round_config(
        winners=2, test_records=10, train_ms=3000, predict_ms=2500, reveal_ms=1500, vote_ms=1500,
        audit_ms=2500, aggregate_ms=2500, aggregate_cap_ms=6000, heartbeat_ms=SPEC.heartbeat_ms,
        transfers_per_miner=2, keep_rounds=2,
    )  # fmt: skip
    return _world(members, members, set_rules(), rules)


@lru_cache
def changing_world(validators: int, candidates: int) -> World:
    """Return a chain with short rounds and strict rules, some of whose keys are no validators at genesis.

    One of all is faulty, and the set never has less than four members, so it bears that one.
    """
    everybody = keys("validator", validators + candidates)
    # They enter in the middle of the set, so that places in it move.
    members = [key for place, key in enumerate(everybody) if place % 2 == 0 or place >= 2 * candidates]
    rules = round_config(
        winners=2, min_miners=4, test_records=10, train_ms=1200, predict_ms=1000, reveal_ms=700, vote_ms=700,
        audit_ms=1000, aggregate_ms=1000, aggregate_cap_ms=2500, heartbeat_ms=SPEC.heartbeat_ms,
        transfers_per_miner=2, keep_rounds=2,
    )  # fmt: skip
    rotation = set_rules(
        bond=BOND, slash=SLASH, unbonding_epochs=1, offline_rounds=1, max_validators=len(everybody)
    )
    return _world(everybody, members, rotation, rules)


def _world(
    everybody: list[Keypair], members: list[Keypair], rotation: ValidatorsConfig, rules: RoundConfig
) -> World:
    config: dict[str, Mapping[str, Any]] = {
        "coin": {"balances": [(keypair.public, RICH) for keypair in (*everybody, *CLIENTS)]},
        "validators": {"validators": [keypair.public for keypair in members], "config": rotation},
        "round": {"config": rules},
        "model_propose": {"task": b"{}"},
        "aggregation": {"global_model": bytes(32)},
    }
    genesis = RUNTIME.build_genesis(config, GENESIS_MS)
    return World(everybody, members, genesis, RICH * (len(everybody) + len(CLIENTS)))


class SharedRuntime(Runtime):
    """The chain's runtime, for all nodes of one run."""

    def __init__(self) -> None:
        super().__init__(
            RUNTIME.pallets,
            spec_version=RUNTIME.spec_version,
            transaction_version=RUNTIME.transaction_version,
        )
        self.verified: set[bytes] = set()
        """Hashes of extrinsics that were signed in this run."""
        self._executed: dict[tuple[bytes, ...], ExecutedBlock] = {}
        self._valid: dict[tuple[bytes, bytes], ValidTransaction | InvalidTransaction] = {}
        self._views: dict[bytes, RoundView] = {}

    def sign(self, key: Keypair, pallet: str, function: str, args: Message, **fields: Any) -> bytes:
        """Return a signed call of this run's chain."""
        data = sign_call(
            key,
            Call(pallet=pallet, function=function, args=encode(args)),
            spec_version=self.spec_version,
            transaction_version=self.transaction_version,
            **fields,
        )
        self.verified.add(extrinsic_hash(data))
        return data

    def execute(
        self,
        state: VersionedState,
        parent: Header,
        genesis_hash: bytes,
        block: Block,
        *,
        verified: Container[bytes] = (),
    ) -> ExecutedBlock:
        """Execute a block that was not executed before. The parent is the one that the header names."""
        place = (header_hash(parent), header_hash(block.header), *block.extrinsics)
        known = self._executed.get(place)
        if known is None:
            known = super().execute(state, parent, genesis_hash, block, verified=self.verified)
            self._executed[place] = known
        return known

    def propose(self, *args: Any, **fields: Any) -> ExecutedBlock:
        """Propose as ever."""
        return super().propose(*args, **fields | {"verified": self.verified})

    def validate_transaction(
        self,
        state: ReadState,
        parent: Header,
        genesis_hash: bytes,
        data: bytes,
        *,
        verified: Container[bytes] = (),
    ) -> ValidTransaction:
        """Validate what was not validated on this state before."""
        place = (header_hash(parent), data)
        found = self._valid.get(place)
        if found is None:
            try:
                found = super().validate_transaction(
                    state, parent, genesis_hash, data, verified=self.verified
                )
            except InvalidTransaction as error:
                found = error
            self._valid[place] = found
        if isinstance(found, InvalidTransaction):
            raise InvalidTransaction(found.code, found.reason, found.label)
        return found

    def view(self, state: VersionedState, number: int, block_hash: bytes, genesis_hash: bytes) -> RoundView:
        """Return the current round after a block."""
        if block_hash not in self._views:
            bound = self.bind(state, genesis_hash=genesis_hash)
            self._views[block_hash] = round_view(bound, number, block_hash)
        return self._views[block_hash]


@lru_cache(maxsize=20_000)
def _answer(seed: int, method: str, *args: Any) -> Any:
    return getattr(_learner(seed), method)(*args)


@lru_cache
def _learner(seed: int) -> SmallLearner:
    return SmallLearner(seed, samples=200, steps=4)


@dataclass(frozen=True)
class MemoLearner:
    """A small learner that remembers what it answered, in any run of this process."""

    seed: int

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train; virtual time stands still meanwhile, so the deadline never comes."""
        trained: Trained = _train(self.seed, global_model, round)
        return trained

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(_answer, self.seed, name)


@lru_cache(maxsize=20_000)
def _train(seed: int, global_model: bytes, round: int) -> Trained:
    return _learner(seed).train(global_model, round, lambda: False)

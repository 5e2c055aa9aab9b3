"""From a chain spec to block 0.

All of the spec that nodes must agree on to execute and judge blocks is in the genesis state, so the genesis
hash binds it: balances, validators and the rules of their set, the rules of the rounds, the first global model
and the learning task.
A spec may give that state key by key instead (`raw_genesis`): one that another chain has come to.
What a node may change alone (name, bootnodes, how amounts are shown, agreement's timers) is not.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, cast

from node.aggregation_spec import AggregationSpec
from node.chain_spec import ChainSpec, GenesisSpec, RoundSpec, ValidatorsSpec
from node.errors import ChainSpecError
from node.learning_task import task_bytes
from pallets.aggregation import Aggregation
from pallets.assembly import RUNTIME
from pallets.model_propose import ModelPropose
from pallets.round import Round
from pallets.round.aggregation_rules import given_parameters
from pallets.timestamp import Timestamp
from pallets.validators import Validators
from pocl.extrinsics import u128, u128_int
from pocl.v1.round_pb2 import PHASE_NONE, RoundConfig
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import ExecutedBlock
from runtime.executive import Runtime
from runtime.frame import GenesisError
from runtime.state import MemoryState


def genesis_config(spec: ChainSpec) -> dict[str, Mapping[str, Any]]:
    """Return what each pallet's `genesis` gets, by the pallets' names."""
    genesis = spec.genesis
    return {
        "coin": {"balances": list(genesis.balances)},
        "validators": {
            "validators": list(genesis.validators),
            "config": validators_config(genesis.validator_rules),
        },
        "round": {"config": round_config(genesis.round)},
        "model_propose": {"task": task_bytes(spec.learning)},
        "aggregation": {"global_model": genesis.global_model},
    }


def round_config(spec: RoundSpec) -> RoundConfig:
    """Return the rules of the rounds as the runtime keeps them."""
    rule = spec.aggregation
    return RoundConfig(
        **dataclasses.asdict(spec)
        | {
            "emission": u128(spec.emission),
            "aggregation": rule.rule,
            # None, not an empty message, which would be other bytes.
            "aggregation_parameters": dict(rule.parameters) or None,
        }
    )


def validators_config(spec: ValidatorsSpec) -> ValidatorsConfig:
    """Return the rules of the validator set as the runtime keeps them."""
    fields = dataclasses.asdict(spec)
    return ValidatorsConfig(**fields | {"bond": u128(spec.bond), "slash": u128(spec.slash)})


def build_genesis(spec: ChainSpec, runtime: Runtime = RUNTIME) -> ExecutedBlock:
    """Return block 0 of a chain. Raise ChainSpecError for what the pallets refuse."""
    try:
        if spec.raw_genesis is not None:
            _require_said(spec, spec.raw_genesis)
            return runtime.restore_genesis(spec.raw_genesis, spec.genesis.timestamp_ms)
        return runtime.build_genesis(genesis_config(spec), spec.genesis.timestamp_ms)
    except GenesisError as error:
        raise ChainSpecError(
            f"{spec.id}: no genesis block can be made of this chain spec: {error}"
        ) from error


def describe(entries: Mapping[bytes, bytes]) -> tuple[GenesisSpec, Mapping[str, Any]]:
    """Return what the sections `genesis` and `learning` say of a state, which is one between two rounds.

    Raise GenesisError when it is none of this runtime, or one within a round.
    """
    pallets = RUNTIME.bind(MemoryState(entries))
    try:
        validators, round = cast(Validators, pallets["validators"]), cast(Round, pallets["round"])
        state, rules, config = round.State.get(), validators.Config.get(), round.Config.get()
        task = cast(ModelPropose, pallets["model_propose"]).Task.get()
        said = GenesisSpec(
            timestamp_ms=cast(Timestamp, pallets["timestamp"]).now(),
            balances=(),
            validators=tuple(validators.members()),
            validator_rules=ValidatorsSpec(**_fields(ValidatorsSpec, rules)),
            round=RoundSpec(
                **_fields(RoundSpec, config)
                | {"aggregation": AggregationSpec(config.aggregation, given_parameters(config))}
            ),
            global_model=cast(Aggregation, pallets["aggregation"]).global_model(),
        )
        learning = json.loads(task)
    except (AttributeError, ValueError, TypeError) as error:
        raise GenesisError(f"it is no state of this runtime: {type(error).__name__}: {error}") from None
    if state.phase != PHASE_NONE:
        raise GenesisError(
            f"it is within round {state.round}, whose miners have signed for another chain: export the state of a "
            "block that closes an epoch"
        )
    return said, learning


def _fields(
    kind: type[RoundSpec | ValidatorsSpec], message: RoundConfig | ValidatorsConfig
) -> dict[str, Any]:
    values = {field.name: getattr(message, field.name) for field in dataclasses.fields(kind)}
    return {name: u128_int(value) if isinstance(value, bytes) else value for name, value in values.items()}


def _require_said(spec: ChainSpec, entries: Mapping[bytes, bytes]) -> None:
    """Raise GenesisError unless the spec's sections say what is in the state."""
    genesis, learning = describe(entries)
    for field in dataclasses.fields(genesis):
        if getattr(genesis, field.name) != getattr(spec.genesis, field.name):
            raise GenesisError(
                f"genesis.{field.name} is not what raw_genesis has: the state is raw_genesis alone"
            )
    if task_bytes(learning) != task_bytes(spec.learning):
        raise GenesisError("learning is not what raw_genesis has: the state is raw_genesis alone")

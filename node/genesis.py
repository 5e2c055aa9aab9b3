"""From a chain spec to block 0.

All of the spec that nodes must agree on to execute and judge blocks is in the genesis state, so the genesis
hash binds it: balances, validators and the rules of their set, the rules of the rounds, the first global model
and the learning task.
What a node may change alone (name, bootnodes, how amounts are shown, agreement's timers) is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from node.chain_spec import ChainSpec, RoundSpec, ValidatorsSpec
from node.errors import ChainSpecError
from node.learning_task import task_bytes
from pallets.assembly import RUNTIME
from pocl.extrinsics import u128
from pocl.v1.round_pb2 import RoundConfig
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.blocks import ExecutedBlock
from runtime.executive import Runtime
from runtime.frame import GenesisError


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
    fields = dataclasses.asdict(spec)
    return RoundConfig(**fields | {"emission": u128(spec.emission)})


def validators_config(spec: ValidatorsSpec) -> ValidatorsConfig:
    """Return the rules of the validator set as the runtime keeps them."""
    fields = dataclasses.asdict(spec)
    return ValidatorsConfig(**fields | {"bond": u128(spec.bond), "slash": u128(spec.slash)})


def build_genesis(spec: ChainSpec, runtime: Runtime = RUNTIME) -> ExecutedBlock:
    """Return block 0 of a chain. Raise ChainSpecError for what the pallets refuse."""
    try:
        return runtime.build_genesis(genesis_config(spec), spec.genesis.timestamp_ms)
    except GenesisError as error:
        raise ChainSpecError(
            f"{spec.id}: no genesis block can be made of this chain spec: {error}"
        ) from error

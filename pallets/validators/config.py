"""The rules of the validator set, as genesis takes them (proto/pocl/v1/validators.proto, ValidatorsConfig)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pocl.extrinsics import U128_SIZE
from pocl.keys import PUBLIC_SIZE
from pocl.v1.validators_pb2 import ValidatorsConfig
from runtime.frame import GenesisError


def read_genesis(config: Mapping[str, Any]) -> tuple[list[bytes], ValidatorsConfig]:
    """Return the validators, sorted, and the rules of their set. Raise GenesisError for what cannot be either."""
    validators = sorted(config.get("validators", ()))
    if not validators:
        raise GenesisError("validators.validators is empty: a chain needs at least one validator")
    if len(set(validators)) != len(validators):
        raise GenesisError("validators.validators lists an account twice")
    for account in validators:
        if len(account) != PUBLIC_SIZE:
            raise GenesisError(f"validators.validators: an account has {PUBLIC_SIZE} bytes")
    rules = config.get("config")
    if not isinstance(rules, ValidatorsConfig):
        raise GenesisError("validators.config is missing: it must be a ValidatorsConfig")
    check_config(rules, len(validators))
    return validators, rules


def check_config(config: ValidatorsConfig, validators: int) -> None:
    """Raise GenesisError for rules under which there is no sound set of so many validators."""
    for name in ("bond", "slash"):
        if len(getattr(config, name)) != U128_SIZE:
            raise GenesisError(f"validators.config: {name} is a u128 of {U128_SIZE} bytes")
    for name in ("unbonding_epochs", "offline_rounds"):
        if getattr(config, name) < 1:
            raise GenesisError(f"validators.config: {name} is 0: it must be at least 1")
    if config.max_validators < validators:
        raise GenesisError(
            f"validators.config: max_validators is {config.max_validators}, but {validators} are listed"
        )

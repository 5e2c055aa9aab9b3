"""The development accounts of networks on one machine: keys that everybody has, never worth anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from node.chain_spec import MAX_VALIDATORS, ChainSpec
from node.errors import ConfigError
from pocl.keys import Keypair

DEV_NAMES = ("alice", "bob", "charlie", "dave", "eve", "ferdie")
"""Development accounts with a name; the ones after them are //Miner7, //Miner8, ..."""

MAX_DEV_ACCOUNTS = MAX_VALIDATORS


def dev_uri(index: int) -> str:
    """Return the secret URI of the development account number `index`, counted from 0."""
    return f"//{DEV_NAMES[index].title()}" if index < len(DEV_NAMES) else f"//Miner{index + 1}"


def dev_name(index: int) -> str:
    """Return the name of that account's node."""
    return dev_uri(index).strip("/").lower()


def with_validators(spec: ChainSpec, count: int) -> ChainSpec:
    """Return a chain like `spec` whose validators are the first `count` development accounts.

    A spec that has those validators already comes back as it is. Each of them gets the balance of the richest
    account where it has none. Winners and the least number of miners are lowered to the number of validators,
    the largest number of validators is raised to it.
    Raise ConfigError for a live chain or a count out of range.
    """
    if not 1 <= count <= MAX_DEV_ACCOUNTS:
        raise ConfigError(f"{count} validators: it must be 1 to {MAX_DEV_ACCOUNTS}")
    if spec.chain_type == "live":
        raise ConfigError(
            f"chain {spec.id} is live: its validators are real people, not development accounts"
        )
    return with_accounts(spec, [Keypair.from_uri(dev_uri(index)).public for index in range(count)])


def with_accounts(spec: ChainSpec, accounts: Sequence[bytes]) -> ChainSpec:
    """Return a chain like `spec` whose validators are these accounts, with the rules of `with_validators`."""
    genesis = spec.genesis
    if set(genesis.validators) == set(accounts):
        return spec
    count = len(accounts)
    amount = max((amount for _, amount in genesis.balances), default=0)
    rich = {who for who, _ in genesis.balances}
    added = tuple((who, amount) for who in accounts if who not in rich)
    rules = dataclasses.replace(
        genesis.round,
        winners=min(genesis.round.winners, count),
        min_miners=min(genesis.round.min_miners, count),
    )
    set_rules = dataclasses.replace(
        genesis.validator_rules, max_validators=max(genesis.validator_rules.max_validators, count)
    )
    changed = dataclasses.replace(
        genesis,
        validators=tuple(accounts),
        validator_rules=set_rules,
        balances=genesis.balances + added,
        round=rules,
    )
    return dataclasses.replace(spec, genesis=changed)

"""`pocl chain`: build and check chain specs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import click

from node.chain_spec import ChainSpec, load, parse
from node.cli.output import (
    address,
    format_amount,
    hex_text,
    json_option,
    parse_account,
    parse_amount,
    print_facts,
)
from node.dev_accounts import with_accounts, with_validators
from node.errors import ConfigError


@click.group("chain")
def command() -> None:
    """Build and check chain specs."""


@command.command("build-spec")
@click.option(
    "--chain",
    default="local",
    show_default=True,
    help="The spec to start from: a file or a built-in name (dev, local, pocl-cifar10).",
)
@click.option("--validators", type=int, help="Replace the validators by this many development accounts.")
@click.option(
    "--validator",
    "accounts",
    multiple=True,
    metavar="ACCOUNT",
    help="Replace the validators by these accounts; give one for each.",
)
@click.option(
    "--balance",
    "balances",
    multiple=True,
    metavar="ACCOUNT=AMOUNT",
    help="Give an account this balance at genesis; may be repeated. AMOUNT as for `pocl tx transfer`.",
)
@click.option("--name", help="The chain's name, for people.")
@click.option("--id", "id_", help="The chain's id: data of different chains is told apart by it.")
@click.option(
    "--from-state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Begin with a state that `pocl export-state` wrote, as it is; type, properties and timers are the spec's.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
def build_spec(
    chain: str,
    validators: int | None,
    accounts: tuple[str, ...],
    balances: tuple[str, ...],
    name: str | None,
    id_: str | None,
    from_state: Path | None,
    output: Path | None,
) -> None:
    """Print a chain spec as canonical JSON, made from another one. All other parameters stay as they are.

    \b
    pocl build-spec --chain local --validators 7 --output seven.json
    pocl build-spec --chain local --from-state state.bin --output fork.json
    """
    spec = load(chain)
    if from_state is not None:
        if validators is not None or accounts or balances:
            raise ConfigError(
                "--from-state takes validators and balances as they are: leave the other options out"
            )
        # Imported here: the other ways need no runtime.
        from node.tools.spec_from_state import spec_from_state
        from node.tools.state_file import read_state

        _give(spec_from_state(spec, read_state(from_state), str(from_state), name, id_), output)
        return
    if validators is not None and accounts:
        raise ConfigError("--validators and --validator are two sets of validators: give one of them")
    if validators is not None:
        spec = with_validators(spec, validators)
    if accounts:
        spec = with_accounts(spec, [parse_account(account) for account in accounts])
    if balances:
        spec = _with_balances(spec, balances)
    spec = dataclasses.replace(spec, name=name or spec.name, id=id_ or spec.id)
    # What was changed must be as sound as what was read.
    _give(parse(spec.to_dict(), str(output or "the new chain spec")), output)


def _give(spec: ChainSpec, output: Path | None) -> None:
    if output is None:
        click.echo(spec.to_json(), nl=False)
    else:
        spec.save(output)


@command.command("check")
@click.argument("spec")
@json_option
def check(spec: str, as_json: bool) -> None:
    """Check a chain spec, a file or a built-in name, down to the genesis block it makes."""
    # Imported here: building specs needs no runtime.
    from node.genesis import build_genesis
    from pallets.assembly import RUNTIME
    from pallets.coin import Coin
    from runtime.state import MemoryState

    chain = load(spec)
    genesis = build_genesis(chain)
    properties, rules = chain.properties, chain.genesis.round
    coin = RUNTIME.bind(
        MemoryState({key: value for key, value in genesis.changes.items() if value is not None})
    )["coin"]
    issuance = cast(Coin, coin).TotalIssuance.get()
    facts: dict[str, Any] = {
        "name": chain.name,
        "id": chain.id,
        "chain_type": chain.chain_type,
        "genesis_hash": hex_text(genesis.hash),
        "state_root": hex_text(genesis.header.state_root),
        "issuance": str(issuance)
        if as_json
        else format_amount(issuance, properties.token_decimals, properties.token_symbol),
        "validators": [address(who) for who in chain.genesis.validators],
        "winners": rules.winners,
        "rules": f"{rules.voting} voting, {rules.reward} rewards, {rules.aggregation}",
    }
    print_facts(facts, as_json)


def _with_balances(spec: ChainSpec, texts: tuple[str, ...]) -> ChainSpec:
    properties = spec.properties
    balances = dict(spec.genesis.balances)
    for text in texts:
        who, separator, amount = text.rpartition("=")
        if not separator:
            raise ConfigError(f"--balance {text!r} is not ACCOUNT=AMOUNT")
        balances[parse_account(who)] = parse_amount(
            amount, properties.token_decimals, properties.token_symbol
        )
    return dataclasses.replace(
        spec, genesis=dataclasses.replace(spec.genesis, balances=tuple(balances.items()))
    )

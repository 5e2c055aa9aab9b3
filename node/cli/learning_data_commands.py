"""`pocl data`: what a miner trains on, before a node is started with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from node.chain_spec import load
from node.cli.output import json_option, print_facts
from node.errors import ConfigError


@click.group("data")
def command() -> None:
    """Check the data that a miner trains on."""


@command.command("check")
@click.option("--chain", required=True, help="A chain spec's file or built-in name.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the data, where it does not come with the node.",
)
@click.option("--index", type=click.IntRange(0), help="Of a shared data set: also show this miner's share.")
@click.option("--miners", type=click.IntRange(1), help="Of so many miners (default: the spec's validators).")
@json_option
def check(chain: str, data: Path | None, index: int | None, miners: int | None, as_json: bool) -> None:
    """Read the data as a worker would, check it against the chain's task, and print what it holds.

    Exit status 1, with one line that names file, row and column, when it cannot be used. Nothing leaves this machine.

    \b
    pocl data check --chain chain.json --data data/patients
    pocl data check --chain local --index 0
    """
    from node.learning_task import parse_task, task_bytes

    spec = load(chain)
    task = parse_task(task_bytes(spec.learning))
    if data is not None and not data.is_dir():
        raise ConfigError(f"{data}: --data is the folder of the data, and this is none")
    if task.format is not None and (index, miners) != (None, None):
        raise ConfigError("--index and --miners are for shared data sets: of own data a miner takes all")
    miners = miners or len(spec.genesis.validators)
    if index is not None and index >= miners:
        raise ConfigError(f"--index is {index}: of {miners} miners it must be 0 to {miners - 1}")
    try:
        from node.worker.learning.data_report import report

        facts = report(task, data, index=index, miners=miners, test_records=spec.genesis.round.test_records)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed: install the extra `worker` (pip install '.[node,worker]')"
        ) from None
    facts = {"chain": spec.id, **facts}
    print_facts(facts if as_json else _short(facts), as_json)


def _short(value: Any) -> Any:
    """Return facts with their numbers as people write them: 0.00361, not four decimals of it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value

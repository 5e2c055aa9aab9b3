"""`pocl db`: a stopped node's database."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from node.cli.output import json_option
from node.cli.storage_options import data_of, data_options


@click.group("db")
def command() -> None:
    """Look after a stopped node's database."""


@command.command("verify")
@data_options
@json_option
def verify(chain: str | None, base_path: Path | None, dev: bool, as_json: bool) -> int:
    """Walk the whole database: headers, bodies, certificates, states, and that nothing else is in it.

    A line a problem, and exit status 1 when there is one. It reads everything, so it takes a while.

    \b
    pocl db verify --chain local --base-path data/one
    """
    from node.tools.stopped import stopped_chain
    from node.tools.verify import verify as walk

    def show(step: str, done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 100 == 0 or done == total):
            click.echo(f"\r{step} {done}/{total}", nl=done == total, err=True)

    spec, base = data_of(chain, base_path, dev)
    problems = []
    with stopped_chain(spec, base) as opened:
        database = opened.database
        facts = {
            "blocks": opened.final_number,
            "oldest_body": database.oldest_body,
            "oldest_state": database.oldest_state,
        }
        for problem in walk(database, show):
            problems.append(problem)
            if not as_json:
                click.echo(problem)
    if as_json:
        click.echo(json.dumps({**facts, "problems": problems}, indent=2, ensure_ascii=False))
    else:
        kept = (
            f"blocks from {facts['oldest_body']} and states from {facts['oldest_state']} to {facts['blocks']}"
        )
        click.echo(f"{len(problems) or 'no'} problem{'s' * (len(problems) != 1)}: {kept}")
    return 1 if problems else 0

"""`pocl devnet`: a whole network on this machine."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from node.chain_spec import load
from node.cli.interrupts import interruptible
from node.dev_accounts import MAX_DEV_ACCOUNTS, dev_name, dev_uri
from node.devnet.display import make_display
from node.devnet.runner import DevnetOptions, run_devnet
from node.devnet.summary import failures
from node.errors import ConfigError, DevnetError
from pocl.keys import Keypair


@click.command("devnet", context_settings={"show_default": True})
@click.option(
    "--validators", type=click.IntRange(1, MAX_DEV_ACCOUNTS), default=4, help="Nodes, each a validator."
)
@click.option("--rounds", type=click.IntRange(1), default=3, help="Rounds to run.")
@click.option("--chain", default="local", help="A chain spec's file or built-in name.")
@click.option(
    "--base-path",
    type=click.Path(path_type=Path),
    help="An empty folder for the nodes (default: run/devnet-TIME).",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the summary here; - for stdout.",
)
@click.option("--transfers", type=click.IntRange(0, 1000), default=8, help="Transfers submitted each round.")
@click.option(
    "--worker-threads", type=click.IntRange(1, 1024), default=1, help="Threads of each training process."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of the data that the chain's task needs; of own data, with a folder for each node (alice, ...).",
)
@click.option(
    "--log",
    default="info",
    type=click.Choice(["error", "warning", "info", "debug"]),
    help="The nodes' log level.",
)
@click.option(
    "--behaviour",
    multiple=True,
    metavar="NODE=CHEAT[:PARAM=VALUE,...]",
    help="Make a node's worker cheat, such as bob=knn or dave=sign_flip:scale=10; may be repeated. "
    "Those with the same cheat help each other.",
)
def command(
    validators: int,
    rounds: int,
    chain: str,
    base_path: Path | None,
    json_file: Path | None,
    transfers: int,
    worker_threads: int,
    data: Path | None,
    log: str,
    behaviour: tuple[str, ...],
) -> int:
    """Run real nodes and training workers as processes of this machine, over real libp2p, for some rounds.

    Shows the rounds live and ends with a summary. The exit status is 0 only if every node has the same final
    block and state, no round was void, and every transfer was included.

    \b
    pocl devnet --validators 4 --rounds 3 --json summary.json
    """
    console = Console(stderr=json_file is not None and str(json_file) == "-")
    options = DevnetOptions(
        spec=load(chain),
        validators=validators,
        rounds=rounds,
        base_path=base_path or Path("run") / f"devnet-{datetime.now():%Y%m%d-%H%M%S}",
        transfers=transfers,
        worker_threads=worker_threads,
        data_path=data,
        log_level=log,
        behaviours=_behaviours(behaviour, validators),
    )
    names = {Keypair.from_uri(dev_uri(index)).public: dev_name(index) for index in range(validators)}
    with interruptible(), make_display(console, names, rounds) as display:
        summary = run_devnet(options, display)
    _write(summary, json_file)
    problems = failures(summary)
    _tell(console, summary, options.base_path)
    if problems:
        raise DevnetError("; ".join(problems))
    return 0


def _behaviours(given: tuple[str, ...], validators: int) -> dict[str, str]:
    if not given:
        return {}
    # What cheats are made of is loaded by those alone who ask for one.
    from node.worker.behaviours import parse as check_behaviour

    names = [dev_name(index) for index in range(validators)]
    behaviours = {}
    for text in given:
        name, separator, cheat = text.partition("=")
        if not separator or not cheat or name not in names:
            raise ConfigError(f"--behaviour {text} is not NODE=CHEAT with a node among {', '.join(names)}")
        check_behaviour(cheat)  # before nodes are started, not when a worker stops
        behaviours[name] = cheat
    return behaviours


def _write(summary: dict[str, Any], file: Path | None) -> None:
    if file is None:
        return
    text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DevnetError(f"{file}: the summary cannot be written: {error.strerror}") from None


def _tell(console: Console, summary: dict[str, Any], base_path: Path) -> None:
    final, transfers, finality = summary["finalized"], summary["transfers"], summary["finality_ms"]
    console.print(
        f"{'all nodes agree' if summary['agree'] else 'the nodes DISAGREE'} at block {final['number']} "
        f"{final['hash'][:18]}…, state {final['state_root'][:18]}…",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"transfers: {transfers['submitted']} submitted, {transfers['included']} included, "
        f"{transfers['settled']} settled; finality p50 {finality['p50']} ms, p99 {finality['p99']} ms",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"logs: {base_path}/*/node.log", highlight=False, soft_wrap=True)

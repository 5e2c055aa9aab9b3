"""`pocl doctor`: all that a node needs, checked one by one."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import click

from node.cli.node_command import dev_key_flags
from node.cli.output import json_option
from node.cli.secrets import password_file_option
from node.doctor.examine import examine
from node.doctor.findings import OK, PROBLEM, WARNING, Finding
from node.doctor.subject import Options
from node.errors import ConfigError

_PORT = click.IntRange(0, 65535)
_COLOURS = {OK: "green", WARNING: "yellow", PROBLEM: "red"}


@click.command("doctor", context_settings={"show_default": True})
@click.option("--chain", help="A chain spec's file or built-in name (dev, local, pocl-cifar10).")
@click.option("--base-path", type=click.Path(path_type=Path), help="Where the node keeps everything it has.")
@click.option("--validator", is_flag=True, help="It takes part in consensus and rounds; needs a key.")
@dev_key_flags
@click.option("--dev", is_flag=True, help="--chain dev --alice.")
@click.option("--key", metavar="NAME", help="The validator's key in the node's keystore.")
@password_file_option
@click.option("--port", "p2p_port", type=_PORT, default=30333, help="libp2p port.")
@click.option("--p2p-listen", "p2p_host", default="0.0.0.0", help="Address libp2p listens on.")
@click.option("--rpc-port", type=_PORT, default=9944, help="gRPC port; a node that runs is found there.")
@click.option("--rpc-listen", "rpc_host", default="127.0.0.1", help="Address gRPC listens on.")
@click.option("--prometheus-port", type=_PORT, default=9615, help="Metrics port.")
@click.option("--prometheus-external", is_flag=True, help="It serves metrics on all interfaces.")
@click.option("--no-prometheus", is_flag=True, help="It serves no metrics.")
@click.option(
    "--bootnodes", multiple=True, metavar="MULTIADDR", help="A peer to start from; may be repeated."
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the data that the chain's task needs."
)
@click.option("--no-worker", is_flag=True, help="It neither trains nor votes on models.")
@json_option
def command(dev: bool, no_worker: bool, as_json: bool, chain: str | None, **options: Any) -> int:
    """Check all that a node needs, before it runs or while it does: give the options that it gets.

    One line a check: ok, warning, or problem with what to do. Exit status 1 when there is a problem.
    """
    if chain is None and not dev:
        raise ConfigError("which chain? give --chain (a chain spec's file or built-in name) or --dev")
    if dev and options["key"] is None:
        options["dev_key"] = options["dev_key"] or "//Alice"
    given = Options(chain=chain or "dev", worker=not no_worker, **options)
    findings = []
    for finding in examine(given):
        findings.append(finding)
        if not as_json:
            _show(finding)
    counts = {status: sum(finding.status == status for finding in findings) for status in _COLOURS}
    if as_json:
        value = {"checks": [dataclasses.asdict(finding) for finding in findings], **counts}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    return 1 if counts[PROBLEM] else 0


def _show(finding: Finding) -> None:
    status = click.style(f"{finding.status:<7}", fg=_COLOURS[finding.status])
    advice = f": {finding.advice}" if finding.advice else ""
    click.echo(f"{status}  {finding.check:<11}  {finding.message}{advice}")
    sys.stdout.flush()

"""`pocl status`: whether the chain moves, and if not, why."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from node.cli.output import address, hex_text, json_option, print_facts, print_rows
from node.cli.rpc_options import connect, rpc_option, timeout_option
from node.status.sentence import duration, joined, size
from pocl.client import Client, ClientError, plain
from pocl.v1.node_service_pb2 import NodeStatus, ValidatorStatus

WATCH_S = 1.0


@click.command("status")
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option("--count", type=click.IntRange(1), hidden=True, help="End --watch after so many times.")
@rpc_option
@timeout_option
@json_option
def command(watch: bool, count: int | None, rpc: str, timeout: float, as_json: bool) -> None:
    """Tell in a sentence whether the chain moves, as one node sees it, and if not, why.

    What the sentence rests on follows as a table: agreement and votes, the round, peers, clock, worker, disk.
    """
    if not watch:
        with connect(rpc, timeout) as client:
            _show(client.status(), as_json)
        return
    with Client(rpc, timeout_s=timeout) as client:
        for status in _statuses(client, count):
            if as_json:
                click.echo(json.dumps(_plain(status), ensure_ascii=False))
                continue
            click.clear()
            if isinstance(status, NodeStatus):
                _show(status, False)
            else:
                click.echo(status["error"])


def _statuses(client: Client, count: int | None) -> Iterator[NodeStatus | dict[str, Any]]:
    """Yield the status every second; a node that does not answer may be starting again."""
    while True:
        try:
            yield client.status()
        except ClientError as error:
            yield {"error": str(error)}
        if count is not None and (count := count - 1) == 0:
            return
        time.sleep(WATCH_S)


def _plain(status: NodeStatus | dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = plain(status, full=True) if isinstance(status, NodeStatus) else status
    return value


def _show(status: NodeStatus, as_json: bool) -> None:
    if as_json:
        print_facts(_plain(status), True)
        return
    click.echo(status.sentence)
    for hint in status.hints:
        click.echo(f"also: {hint}")
    click.echo()
    print_facts(_facts(status), False)
    click.echo()
    print_rows("validators", [_row(status, validator) for validator in status.validators], False)


def _facts(status: NodeStatus) -> dict[str, Any]:
    names = {validator.account: validator for validator in status.validators}

    def name(account: bytes) -> str:
        known = names.get(account)
        return f"{known.name} {address(account)}" if known and known.name else address(account)

    def short(account: bytes) -> str:
        known = names.get(account)
        return known.name if known and known.name else address(account)

    age = f", {duration(status.final_age_ms / 1000)} ago" if status.HasField("final_age_ms") else ""
    connected = sum(validator.connected for validator in status.validators)
    facts = {
        "node": f"{status.name}, {status.role} of {status.chain}, up for {duration(status.up_ms / 1000)}",
        "final": f"block {status.final_number}{age}, {hex_text(status.final_hash)}; best {status.best_number}",
        "agreement": _agreement(status, name(status.agreement.leader)),
        "round": _round(status),
        "awaited": joined(map(short, status.round.miners_awaited)) if status.round.miners_awaited else "-",
        "peers": f"{status.peers} connected; {connected} of {len(status.validators)} validators",
        "sync": f"{'syncing' if status.syncing else 'not syncing'}, {status.behind} blocks behind",
        "clock": "not compared yet",
        "worker": status.worker + (f"; last error: {status.worker_error}" if status.worker_error else ""),
        "disk": f"{size(status.disk_free)} free, database {size(status.database_bytes)}"
        if status.disk_free or status.database_bytes
        else "shown on the node's own machine only",
    }
    if status.HasField("clock_offset_ms"):
        facts["clock"] = f"{status.clock_offset_ms / 1000:+.3f} s from the other validators' median"
    return facts


def _agreement(status: NodeStatus, leader: str) -> str:
    agreement = status.agreement
    if agreement.abstains:
        until = f"epoch {agreement.abstains_until}" if agreement.abstains_until else "the others are heard of"
        state = f"abstains until {until}"
    else:
        state = "proposal here" if agreement.proposed else "no proposal yet"
    if agreement.view == 0:
        return f"epoch {agreement.epoch}, quorum {agreement.quorum}; this node takes no part"
    finalizing = (
        f"; view {agreement.finalizing_view} notarized, not final" if agreement.finalizing_view else ""
    )
    return (
        f"epoch {agreement.epoch}, view {agreement.view}, quorum {agreement.quorum}, {state}{finalizing}; "
        f"leader {leader}"
    )


def _round(status: NodeStatus) -> str:
    deadline = status.round.deadline_ms
    until = f", deadline {datetime.fromtimestamp(deadline / 1000):%H:%M:%S}" if deadline else ""
    return f"{status.round.round}, {status.round.phase}{until}"


def _row(status: NodeStatus, validator: ValidatorStatus) -> dict[str, Any]:
    votes = [
        kind for kind, here in (("notarize", validator.notarized), ("nullify", validator.nullified)) if here
    ]
    if validator.finalized:
        votes.append(f"finalize({status.agreement.finalizing_view})")
    clock = validator.clock_offset_ms / 1000 if validator.HasField("clock_offset_ms") else None
    return {
        "validator": address(validator.account),
        "name": validator.name or "-",
        "connected": validator.connected,
        "votes": " ".join(votes) or "-",
        "delivered": validator.account not in status.round.miners_awaited,
        "final": validator.final_number,
        "clock": "-" if clock is None else f"{clock:+.3f} s",
    }

"""`pocl query`: ask a node about blocks, rounds, accounts and state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from node.cli.output import (
    address,
    format_amount,
    hex_text,
    json_option,
    parse_account,
    parse_hex,
    print_facts,
    print_rows,
)
from node.cli.rpc_options import connect, rpc_option, timeout_option
from node.cli.storage_options import block_id
from node.errors import ConfigError
from pallets.validators.rotation import IN_SET, may_leave
from pocl.client import Client, Event, plain
from pocl.extrinsics import extrinsic_hash, u128_int
from pocl.v1.chain_service_pb2 import BlockView
from pocl.v1.extrinsic_pb2 import Extrinsic, Payload
from pocl.v1.metadata_pb2 import PalletMetadata
from pocl.v1.round_pb2 import Outcome, Phase
from pocl.v1.rounds_service_pb2 import MinerView, RoundView
from pocl.v1.validators_pb2 import Validator
from runtime.proof import verify_state_proof
from runtime.range_proof import verify_range

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _node_options(function: _Command) -> _Command:
    return rpc_option(timeout_option(json_option(function)))


_number_option = click.option(
    "--number", type=click.IntRange(0), help="The final block after which (default: the last one)."
)


@click.group("query")
def command() -> None:
    """Ask a node about blocks, rounds, accounts and state."""


@command.command("info")
@_node_options
def info(rpc: str, timeout: float, as_json: bool) -> None:
    """Show chain, heights, and the node itself."""
    with connect(rpc, timeout) as client:
        chain, node = client.info(), client.node_info()
        facts: dict[str, Any] = {"chain": plain(chain, full=True), "node": plain(node, full=True)}
        # Thousands of measures: `pocl devnet` sums them up.
        facts["node"]["finality_ms"] = node.finality_ms[-1] if node.finality_ms else None
        facts["peers"] = [plain(peer, full=True) for peer in client.peers()]
    print_facts(facts, as_json)


@command.command("block")
@click.argument("block", default="latest")
@_node_options
def block(block: str, rpc: str, timeout: float, as_json: bool) -> None:
    """Show a block: BLOCK is a number, a 0x hash or `latest`, the last final one."""
    with connect(rpc, timeout) as client:
        view = client.block(block_id(block))
        facts = {
            "hash": hex_text(view.hash),
            "final": view.final,
            "header": plain(view.block.header, full=True),
            "extrinsics": _extrinsics(client, view),
            "events": [_event(event) for event in client.events(view)],
        }
    print_facts(facts, as_json)


@command.command("events")
@click.argument("block", default="latest")
@_node_options
def events(block: str, rpc: str, timeout: float, as_json: bool) -> None:
    """Show the decoded events of a block: a number, a 0x hash or `latest`."""
    with connect(rpc, timeout) as client:
        view = client.block(block_id(block))
        rows = [_event(event) for event in client.events(view)]
    print_rows("events", rows, as_json)


@command.command("account")
@click.argument("account")
@_number_option
@_node_options
def account(account: str, number: int | None, rpc: str, timeout: float, as_json: bool) -> None:
    """Show an account's balances and nonce. ACCOUNT is an address, a 0x public key or such as //Bob."""
    who = parse_account(account)
    with connect(rpc, timeout) as client:
        chain, view = client.info(), client.account(who, number)
    free, reserved = u128_int(view.free), u128_int(view.reserved)
    facts: dict[str, Any] = {
        "address": address(who),
        "free": str(free) if as_json else format_amount(free, chain.token_decimals, chain.token_symbol),
        "reserved": str(reserved)
        if as_json
        else format_amount(reserved, chain.token_decimals, chain.token_symbol),
        "nonce": view.nonce,
        "next_nonce": view.pool_nonce,
        "at_block": view.number,
    }
    print_facts(facts, as_json)


@command.command("round")
@click.argument("round", type=click.IntRange(1), required=False)
@_node_options
def round_(round: int | None, rpc: str, timeout: float, as_json: bool) -> None:
    """Show a round (default: the current one); --json has everything that is known of it."""
    with connect(rpc, timeout) as client:
        view = client.round(round)
    print_facts(plain(view) if as_json else _round_facts(view), as_json)


@command.command("rounds")
@click.option("--from", "from_round", type=click.IntRange(1), default=1, help="The first round to list.")
@_node_options
def rounds(from_round: int, rpc: str, timeout: float, as_json: bool) -> None:
    """List the rounds that have ended."""
    with connect(rpc, timeout) as client:
        rows = [
            {
                "round": summary.round,
                "outcome": Outcome.Name(summary.outcome).lower(),
                "blocks": f"{summary.started_block}-{summary.ended_block}",
                "duration_ms": summary.ended_ms - summary.started_ms,
                "winners": " ".join(address(winner) for winner in summary.winners),
                "attesters": len(summary.attesters),
                "global_model": hex_text(summary.global_model),
            }
            for summary in client.rounds(from_round)
        ]
    print_rows("rounds", rows, as_json)


@command.command("validators")
@_number_option
@_node_options
def validators(number: int | None, rpc: str, timeout: float, as_json: bool) -> None:
    """List everybody with a validator's bond: in the set, waiting for a place, put out of it, or unbonding."""
    with connect(rpc, timeout) as client:
        chain = client.info()
        rows = []
        records = list(client.entries("validators", "Bonded", number=number))
        size = sum(record.status in IN_SET for _, record in records)
        for (who,), record in records:
            facts = plain(record, full=True)
            bond = u128_int(record.bond)
            rows.append(
                {
                    "validator": address(who),
                    "status": facts["status"].lower(),
                    "bond": str(bond)
                    if as_json
                    else format_amount(bond, chain.token_decimals, chain.token_symbol),
                    "missed_rounds": record.missed,
                    "since_block": record.since,
                    "last_epoch": record.last_epoch or None,
                    "note": _note(record, size),
                }
            )
    print_rows("validators", rows, as_json)


def _note(record: Validator, size: int) -> str | None:
    """Say why one that asked to leave a set of this size is still in it."""
    if record.status != Validator.LEAVING or may_leave(size):
        return None
    return f"stays until somebody has entered: a set of {size} lets nobody leave"


@command.command("storage")
@click.argument("pallet")
@click.argument("item")
@click.argument("keys", nargs=-1)
@_number_option
@_node_options
def storage(
    pallet: str,
    item: str,
    keys: tuple[str, ...],
    number: int | None,
    rpc: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Show a storage entry, for example `storage coin TotalIssuance`; with keys left out, the entries below."""
    with connect(rpc, timeout) as client:
        declared = client.schema.item(pallet, item)
        if len(keys) == len(declared.keys):
            facts = {"value": plain(client.storage(pallet, item, *keys, number=number))}
            print_facts(facts, as_json)
            return
        rows = [
            {
                "key": " ".join(map(str, _key_text(declared.keys, parts))),
                "value": plain(value),
            }
            for parts, value in client.entries(pallet, item, *keys, number=number)
        ]
    print_rows("entries", rows, as_json)


@command.command("proof")
@click.argument("pallet")
@click.argument("item")
@click.argument("keys", nargs=-1)
@_number_option
@_node_options
def proof(
    pallet: str,
    item: str,
    keys: tuple[str, ...],
    number: int | None,
    rpc: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Show a storage entry with its proof, after checking that against the state root of the block."""
    with connect(rpc, timeout) as client:
        answer = client.proof(pallet, item, *keys, number=number)
        header = client.block(answer.number).block.header
    expected = client.schema.key(pallet, item, *keys)
    if answer.proof.key != expected or not verify_state_proof(header.state_root, answer.proof):
        raise ConfigError(
            f"the node's proof for {pallet}.{item} is wrong: it does not lead to its state root"
        )
    facts = {
        "value": plain(answer.value),
        "exists": answer.proof.exists,
        "block_number": answer.number,
        "block_hash": hex_text(answer.block_hash),
        "state_root": hex_text(answer.state_root),
        "valid": True,
        "proof": plain(answer.proof),
    }
    print_facts(facts, as_json)


@command.command("range")
@click.option("--start", default="", metavar="HEX", help="The path to start from (default: the lowest).")
@click.option(
    "--max-bytes", type=click.IntRange(1, 2**20), default=2**16, help="Keys and values of the range."
)
@_number_option
@_node_options
def range_(start: str, max_bytes: int, number: int | None, rpc: str, timeout: float, as_json: bool) -> None:
    """Show state entries in the order of their keys' hashes, after checking that none is missing."""
    first = parse_hex(start, "a path", 32) if start else b""
    with connect(rpc, timeout) as client:
        answer = client.state_range(first, max_bytes=max_bytes, number=number)
        header = client.block(answer.number).block.header
    part = answer.range
    if part.start != (first or bytes(32)) or not verify_range(header.state_root, part):
        raise ConfigError("the node's range is wrong: it does not lead to its state root")
    facts = {
        "entries": [{"key": hex_text(entry.key), "value": hex_text(entry.value)} for entry in part.entries],
        "last": part.last,
        "proof_bytes": sum(map(len, (*part.left, *part.right))),
        "block_number": answer.number,
        "block_hash": hex_text(answer.block_hash),
        "state_root": hex_text(answer.state_root),
        "valid": True,
    }
    print_facts(facts, as_json)


@command.command("metadata")
@click.argument("pallet", required=False)
@_node_options
def metadata(pallet: str | None, rpc: str, timeout: float, as_json: bool) -> None:
    """Show what the chain offers: its pallets, or one pallet's calls, storage, events, errors and constants."""
    with connect(rpc, timeout) as client:
        schema = client.schema
        if pallet is None:
            rows = [
                {
                    "pallet": known.name,
                    "calls": len(known.calls),
                    "storage": len(known.storage),
                    "events": len(known.events),
                    "errors": len(known.errors),
                    "constants": len(known.constants),
                    "doc": known.doc.partition("\n")[0],
                }
                for known in schema.metadata.pallets
            ]
            print_rows("pallets", rows, as_json)
        else:
            print_facts(_pallet_facts(client, schema.pallet(pallet)), as_json)


def _extrinsics(client: Client, view: BlockView) -> list[dict[str, Any]]:
    found = []
    for data in view.block.extrinsics:
        extrinsic = Extrinsic.FromString(data)
        payload = Payload.FromString(extrinsic.payload)
        kind = payload.WhichOneof("sequence") or "nonce"
        found.append(
            {
                "hash": hex_text(extrinsic_hash(data)),
                "call": f"{payload.call.pallet}.{payload.call.function}",
                "signer": address(extrinsic.signer),
                kind: getattr(payload, kind),
                "args": plain(client.schema.arguments(payload.call)),
            }
        )
    return found


def _event(event: Event) -> dict[str, Any]:
    return {
        "event": f"{event.pallet}.{event.name}",
        "extrinsic": event.extrinsic_index,
        "fields": plain(event.message),
    }


def _key_text(kinds: Any, parts: tuple[Any, ...]) -> list[Any]:
    return [
        plain(part, "account" if kind == "account" else "") for kind, part in zip(kinds, parts, strict=True)
    ]


def _round_facts(view: RoundView) -> dict[str, Any]:
    """What of a round fits on a screen."""
    facts: dict[str, Any] = {"round": view.round, "at_block": view.at_block}
    if view.HasField("state"):
        facts["phase"] = Phase.Name(view.state.phase)
        facts["phase_clock_ms"] = view.state.phase_clock_ms
        facts["global_model"] = hex_text(view.state.global_model)
        if view.state.server_state:
            facts["server_state"] = hex_text(view.state.server_state)
    facts["miners"] = [_miner_facts(miner) for miner in view.miners]
    if view.HasField("tally"):
        facts["provisional_winners"] = [address(winner) for winner in view.tally.provisional]
    if view.HasField("summary"):
        facts["summary"] = plain(view.summary)
    return facts


def _miner_facts(miner: MinerView) -> dict[str, Any]:
    steps = ("proposal", "commit", "reveal", "ballot", "audit", "attestation")
    delivered = [step for step in steps if miner.HasField(step)]
    return {"miner": address(miner.miner), "delivered": " ".join(delivered) or "nothing"}


def _pallet_facts(client: Client, pallet: PalletMetadata) -> dict[str, Any]:
    return {
        "pallet": pallet.name,
        "doc": pallet.doc,
        "calls": [
            {"name": call.name, "args": call.args, "class": getattr(call, "class"), "doc": call.doc}
            for call in pallet.calls
        ],
        "storage": [
            {"name": item.name, "keys": list(item.keys), "value": item.value, "doc": item.doc}
            for item in pallet.storage
        ],
        "events": [{"name": event.name, "doc": event.doc} for event in pallet.events],
        "errors": [{"name": error.name, "doc": error.doc} for error in pallet.errors],
        "constants": [
            {
                "name": constant.name,
                "type": constant.type,
                "value": plain(client.schema.constant(pallet.name, constant.name)),
                "doc": constant.doc,
            }
            for constant in pallet.constants
        ],
    }

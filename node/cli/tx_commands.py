"""`pocl tx`: sign and submit transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from node.cli.output import format_amount, hex_text, json_option, parse_account, parse_amount, print_facts
from node.cli.rpc_options import connect, rpc_option, signer, timeout_option
from node.cli.secrets import password_file_option
from pocl.client import Client, ClientError
from pocl.extrinsics import extrinsic_hash, u128_int
from pocl.v1.chain_service_pb2 import ChainInfo
from pocl.v1.coin_pb2 import CoinEvent
from pocl.v1.extrinsic_pb2 import Call, Extrinsic
from pocl.v1.transactions_service_pb2 import DryRunResponse, TransactionStatus

_Command = TypeVar("_Command", bound=Callable[..., Any])

_WAITS = ("none", "included", "finalized", "settled")
_REACHED = {
    "included": {TransactionStatus.INCLUDED, TransactionStatus.FINALIZED, TransactionStatus.SETTLED},
    "finalized": {TransactionStatus.FINALIZED, TransactionStatus.SETTLED},
    "settled": {TransactionStatus.SETTLED},
}


def _signing_options(function: _Command) -> _Command:
    for option in reversed(
        (
            click.option(
                "--from", "uri", metavar="URI", help="Secret URI of who signs; - reads it from stdin."
            ),
            click.option("--key", metavar="NAME", help="Who signs: a key of a node's keystore."),
            click.option("--chain", help="The chain whose default base path holds the keystore."),
            click.option(
                "--base-path", type=click.Path(path_type=Path), help="The base path with the keystore."
            ),
            password_file_option,
            click.option("--tip", default="0", help="Extra fee to the block's author, for a sooner turn."),
            click.option(
                "--wait-timeout", type=click.FloatRange(0.1), help="Seconds to wait for --wait at most."
            ),
            rpc_option,
            timeout_option,
            json_option,
        )
    ):
        function = option(function)
    return function


def _wait_option(choices: tuple[str, ...]) -> Callable[[_Command], _Command]:
    return click.option(
        "--wait", type=click.Choice(choices), default="included", show_default=True, help="What to wait for."
    )


@click.group("tx")
def command() -> None:
    """Sign and submit transactions."""


@command.command("transfer")
@click.argument("dest")
@click.argument("amount")
@_wait_option(_WAITS)
@_signing_options
def transfer(
    dest: str,
    amount: str,
    wait: str,
    tip: str,
    wait_timeout: float | None,
    rpc: str,
    timeout: float,
    as_json: bool,
    **who: Any,
) -> None:
    """Send AMOUNT to DEST: it is reserved and queued at once, and paid when a round's winner settles it.

    DEST is an address, a 0x public key or a development account such as //Bob. AMOUNT is a whole number of
    the smallest unit, or coins written as 1.5POCL.
    """
    account = parse_account(dest)

    def arguments(info: ChainInfo) -> dict[str, Any]:
        return {"dest": account, "amount": parse_amount(amount, info.token_decimals, info.token_symbol)}

    _make_call("coin", "transfer", arguments, wait, tip, wait_timeout, rpc, timeout, as_json, **who)


@command.command("cancel")
@click.argument("index", type=click.IntRange(0, 2**64 - 1))
@_wait_option(_WAITS[:-1])
@_signing_options
def cancel(
    index: int,
    wait: str,
    tip: str,
    wait_timeout: float | None,
    rpc: str,
    timeout: float,
    as_json: bool,
    **who: Any,
) -> None:
    """Take back the own queued transfer number INDEX, while it is not dealt to a miner."""
    arguments = {"index": index}
    _make_call("coin", "cancel", lambda _: arguments, wait, tip, wait_timeout, rpc, timeout, as_json, **who)


@command.command("join")
@click.option("--bond", metavar="AMOUNT", help="The bond to reserve (default: the chain's least bond).")
@_wait_option(_WAITS[:-1])
@_signing_options
def join(
    bond: str | None,
    wait: str,
    tip: str,
    wait_timeout: float | None,
    rpc: str,
    timeout: float,
    as_json: bool,
    **who: Any,
) -> None:
    """Reserve a bond and ask into the validator set, which takes in who waits at the end of a round.

    Start the node with this account's key first (`pocl node --validator`), and let it catch up: a validator
    that is silent for some rounds is put out of the set again.
    """

    def arguments(info: ChainInfo) -> dict[str, Any]:
        if bond is None:
            return {}
        return {"bond": parse_amount(bond, info.token_decimals, info.token_symbol)}

    _make_call("validators", "join", arguments, wait, tip, wait_timeout, rpc, timeout, as_json, **who)


@command.command("leave")
@_wait_option(_WAITS[:-1])
@_signing_options
def leave(
    wait: str, tip: str, wait_timeout: float | None, rpc: str, timeout: float, as_json: bool, **who: Any
) -> None:
    """Ask out of the validator set at the end of the round; the bond is free after unbonding.

    Let the node run until `pocl query validators` says that it is out. A set of 4, 7, 10, ... lets nobody leave
    before somebody else has entered: with one less it would bear fewer faulty validators.
    """
    _make_call("validators", "leave", _nothing, wait, tip, wait_timeout, rpc, timeout, as_json, **who)


@command.command("rejoin")
@_wait_option(_WAITS[:-1])
@_signing_options
def rejoin(
    wait: str, tip: str, wait_timeout: float | None, rpc: str, timeout: float, as_json: bool, **who: Any
) -> None:
    """Ask back into the validator set after being put out of it; the bond is filled up to the least one."""
    _make_call("validators", "rejoin", _nothing, wait, tip, wait_timeout, rpc, timeout, as_json, **who)


def _nothing(info: ChainInfo) -> dict[str, Any]:
    """Return the arguments of a call that has none."""
    return {}


def _make_call(
    pallet: str,
    function: str,
    arguments: Callable[[ChainInfo], dict[str, Any]],
    wait: str,
    tip: str,
    wait_timeout: float | None,
    rpc: str,
    timeout: float,
    as_json: bool,
    **who: Any,
) -> None:
    """Sign a call and submit it; `arguments` makes its own of what the chain says of its coin."""
    keypair = signer(**who)
    with connect(rpc, timeout) as client:
        info = client.info()
        call = client.call(pallet, function, **arguments(info))
        extrinsic = client.sign(keypair, call, tip=_tip(tip, info))
        _send(client, info, extrinsic, call, wait, wait_timeout, as_json)


def _send(
    client: Client,
    info: ChainInfo,
    extrinsic: bytes,
    call: Call,
    wait: str,
    wait_timeout: float | None,
    as_json: bool,
) -> None:
    """Try an extrinsic out, submit it if it would do what it should, follow it, and print what became of it."""
    name = f"{call.pallet}.{call.function}"
    facts: dict[str, Any] = {"hash": hex_text(extrinsic_hash(extrinsic)), "call": name}
    trial = _trial(client, extrinsic)
    if trial is not None and not trial.ok:
        raise ClientError("FAILED_PRECONDITION", f"{name} is not submitted, it would fail: {trial.error}")
    if trial is not None:
        facts["fee"] = format_amount(u128_int(trial.fee), info.token_decimals, info.token_symbol)
    if wait == "none":
        client.submit(extrinsic)
        facts["status"] = "submitted"
    else:
        statuses = client.submit_and_watch(extrinsic, timeout_s=wait_timeout)
        facts |= _followed(statuses, wait, name)
    print_facts(facts, as_json)


def _trial(client: Client, extrinsic: bytes) -> DryRunResponse | None:
    """Return what an extrinsic would do now; None when others of its signer go first, so that nobody knows."""
    try:
        return client.dry_run(extrinsic)
    except ClientError as error:
        signer = client.account(Extrinsic.FromString(extrinsic).signer)
        if error.code == "FAILED_PRECONDITION" and signer.pool_nonce > signer.nonce:
            return None
        raise


def _followed(statuses: Iterator[TransactionStatus], wait: str, name: str) -> dict[str, Any]:
    """Return what is known when a transaction has come as far as `wait`. Raise ClientError when it will not."""
    facts: dict[str, Any] = {}
    for status in statuses:
        kind = TransactionStatus.Kind.Name(status.kind).lower()
        if status.kind == TransactionStatus.DROPPED:
            raise ClientError("ABORTED", f"{name} was dropped: {status.error}")
        if status.kind == TransactionStatus.CANCELLED:
            raise ClientError("ABORTED", f"{name} was cancelled in block {status.block_number}")
        if status.error:
            raise ClientError("ABORTED", f"{name} failed in block {status.block_number}: {status.error}")
        if status.block_number:
            facts |= {
                "status": kind,
                "block_number": status.block_number,
                "block_hash": hex_text(status.block_hash),
            }
        for event in status.events:
            if event.pallet == "coin" and event.name == "TransferQueued":
                facts["index"] = CoinEvent.TransferQueued.FromString(event.data).index
        if status.kind == TransactionStatus.SETTLED:
            facts["round"] = status.round
        if status.kind in _REACHED[wait]:
            return facts
    raise ClientError("ABORTED", f"the node ended before {name} was {wait}")


def _tip(text: str, info: ChainInfo) -> int:
    # parse_amount refuses zero, which here is the usual one.
    return parse_amount(text, info.token_decimals, info.token_symbol) if text.strip("0") else 0

"""`pocl query`: ask a node about blocks, rounds, accounts and state."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from node.cli.output import (
    format_amount,
    hex_text,
    json_option,
    parse_account,
    parse_hex,
    print_facts,
    print_rows,
)
from node.cli.rpc_options import connect, rpc_option, timeout_option
from node.errors import ConfigError
from pocl.client import Client, ClientError, plain
from pocl.extrinsics import u128_int
from pocl.v1.chain_service_pb2 import BlockView
from pocl.v1.extrinsic_pb2 import Extrinsic, Payload


@click.group("query")
@rpc_option
@timeout_option
@click.pass_context
def command(ctx: click.Context, rpc: str, timeout: float) -> None:
    """Ask a node about blocks, rounds, accounts and state."""
    ctx.obj = (rpc, timeout)


def _client(ctx: click.Context, rpc: str | None, timeout: float | None) -> Client:
    given_rpc, given_timeout = ctx.obj
    return connect(rpc or given_rpc, timeout or given_timeout)

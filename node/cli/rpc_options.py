"""What commands that talk to a node share: its address, how long to wait, who signs."""

from __future__ import annotations

from pathlib import Path

import click

import node.quiet_grpc  # noqa: F401  (first: grpc is loaded below)
from node.chain_spec import load
from node.cli.secrets import default_base_path, load_key, read_secret
from node.errors import ConfigError
from pocl.client import Client
from pocl.keys import Keypair

rpc_option = click.option(
    "--rpc",
    metavar="HOST:PORT",
    default="127.0.0.1:9944",
    show_default=True,
    envvar="POCL_RPC",
    help="A node's gRPC address.",
)
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(0.1, 86_400),
    default=10.0,
    show_default=True,
    help="Seconds to wait for an answer of the node.",
)


def connect(rpc: str, timeout: float) -> Client:
    """Return a client of the node at an address. Raise ClientError, one line, when none answers there."""
    return Client.connect(rpc, timeout_s=timeout)


def signer(
    uri: str | None, key: str | None, chain: str | None, base_path: Path | None, password_file: Path | None
) -> Keypair:
    """Return who signs: a secret URI (`-` reads it from stdin) or a key of a node's keystore."""
    if (uri is None) == (key is None):
        raise ConfigError("who signs? give --from URI (- reads it from stdin) or --key NAME, one of them")
    if uri is not None:
        return Keypair.from_uri(read_secret(uri))
    assert key is not None
    if base_path is None and chain is None:
        raise ConfigError(
            f"in whose keystore is {key!r}? give --base-path, or --chain for a node's default one"
        )
    return load_key(base_path or default_base_path(load(chain or "").id), key, password_file)

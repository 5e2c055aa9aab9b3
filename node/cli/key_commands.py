"""`pocl key`: make, inspect, store and list keys."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node.chain_spec import load
from node.cli.output import hex_text, json_option, print_facts, print_rows
from node.cli.secrets import (
    default_base_path,
    keystore_of,
    password_file_option,
    read_password,
    read_secret,
)
from node.errors import ConfigError
from pocl.keys import Keypair, generate_phrase, ss58_decode, ss58_encode


def _base_path(chain: str | None, base_path: Path | None) -> Path:
    if base_path is not None:
        return base_path
    if chain is None:
        raise ConfigError("whose keystore? give --base-path, or --chain for a node's default one")
    return default_base_path(load(chain).id)


chain_option = click.option("--chain", help="The chain whose default base path is meant.")
base_path_option = click.option(
    "--base-path",
    type=click.Path(path_type=Path),
    help="The node's base path; keys are in keystore/ below it.",
)


@click.group("key")
def command() -> None:
    """Make, inspect, store and list keys."""


@command.command("generate")
@click.option(
    "--words", type=click.Choice(["12", "15", "18", "21", "24"]), default="12", help="Words in the phrase."
)
@json_option
def generate(words: str, as_json: bool) -> None:
    """Make a new secret phrase and show it with its address. Nothing is stored."""
    phrase = generate_phrase(int(words))
    keypair = Keypair.from_uri(phrase)
    print_facts({"phrase": phrase, **_facts(keypair.public), "seed": hex_text(keypair.seed)}, as_json)


@command.command("inspect")
@click.argument("key")
@json_option
def inspect(key: str, as_json: bool) -> None:
    """Show the address and public key of a secret URI (- reads it from stdin), an address or a 0x public key.

    A 0x text of 32 bytes is taken as a public key; a 0x seed is a URI with a junction or comes through stdin.
    """
    from_stdin = key == "-"
    text = read_secret(key)
    if text.startswith("0x") and "/" not in text and not from_stdin:
        public = _public(text)
    elif "/" in text or " " in text or from_stdin:
        public = Keypair.from_uri(text).public
    else:
        public = ss58_decode(text)
    print_facts(_facts(public), as_json)


@command.command("insert")
@click.argument("name")
@click.option(
    "--secret",
    metavar="URI",
    default="-",
    help="Secret URI; - (default) asks or reads stdin, which leaves no trace.",
)
@chain_option
@base_path_option
@password_file_option
@json_option
def insert(
    name: str,
    secret: str,
    chain: str | None,
    base_path: Path | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Encrypt a key under a password and store it as NAME in a node's keystore."""
    keystore = keystore_of(_base_path(chain, base_path))
    if secret == "-" and sys.stdin.isatty():
        secret = click.prompt("Secret phrase or URI", hide_input=True)
    keypair = Keypair.from_uri(read_secret(secret))
    password = read_password(password_file, "New password", confirm=True)
    file = keystore.insert(name, keypair, password)
    print_facts({"name": name, **_facts(keypair.public), "file": str(file)}, as_json)


@command.command("list")
@chain_option
@base_path_option
@json_option
def list_keys(chain: str | None, base_path: Path | None, as_json: bool) -> None:
    """List the keys of a node's keystore; no password is needed."""
    keystore = keystore_of(_base_path(chain, base_path))
    rows = [{"name": name, "address": address} for name, address in keystore.list()]
    print_rows("keys", rows, as_json)


def _facts(public: bytes) -> dict[str, str]:
    return {"address": ss58_encode(public), "public": hex_text(public)}


def _public(text: str) -> bytes:
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        data = b""
    if len(data) != 32:
        raise ConfigError("a public key is 0x and exactly 64 hexadecimal digits")
    return data

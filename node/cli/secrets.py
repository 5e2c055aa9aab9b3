"""Passwords and keys from the command line: never as arguments, which every user of a machine can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from node.errors import ConfigError
from node.keystore import Keystore
from pocl.keys import Keypair

DEV_NAMES = ("alice", "bob", "charlie", "dave", "eve", "ferdie")
"""Development accounts that have a flag of their own: --alice is the key //Alice."""

password_file_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="File whose first line is the key's password (asked for on the terminal when not given).",
)


def default_base_path(chain_id: str) -> Path:
    """Return where a node of this chain keeps its data unless told otherwise."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "pocl" / chain_id


def keystore_of(base_path: Path) -> Keystore:
    """Return the keystore below a node's base path."""
    return Keystore(base_path / "keystore")


def read_password(file: Path | None, prompt: str = "Password", confirm: bool = False) -> str:
    """Return the password of a file's first line, or asked for on the terminal.

    Raise ConfigError for a file that cannot be read, an empty first line, or no terminal to ask on.
    """
    if file is None:
        if not sys.stdin.isatty():
            raise ConfigError("a password is needed and there is no terminal to ask on: give --password-file")
        password: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm)
        return password
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not a password file: it is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{file}: the password cannot be read: {error.strerror}") from None
    if not lines or not lines[0]:
        raise ConfigError(f"{file}: its first line is empty: write the password there")
    return lines[0]


def read_secret(text: str) -> str:
    """Return a secret URI: `text` itself, or the first line of stdin when it is `-`."""
    return sys.stdin.readline().strip() if text == "-" else text


def load_key(base_path: Path, name: str, password_file: Path | None) -> Keypair:
    """Return a key of the keystore. Raise ConfigError or KeystoreError with one line that says why not."""
    keystore = keystore_of(base_path)
    if not (keystore.path / f"{name}.json").exists():
        names = ", ".join(known for known, _ in keystore.list()) or "none yet"
        raise ConfigError(
            f"{keystore.path}: there is no key {name!r} (keys: {names}): pocl key insert makes one"
        )
    return keystore.load(name, read_password(password_file, f"Password of key {name}"))

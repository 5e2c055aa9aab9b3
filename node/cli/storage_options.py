"""What the commands on a stopped node's data share: which chain, where, which block, and how far they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

import click

from node.chain_spec import ChainSpec, load
from node.cli.output import parse_hex
from node.cli.secrets import default_base_path
from node.errors import ConfigError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_CHAIN = click.option("--chain", help="A chain spec's file or built-in name (dev, local, pocl-cifar10).")
_BASE_PATH = click.option(
    "--base-path", type=click.Path(path_type=Path), help="Where the node keeps everything it has."
)
_DEV = click.option("--dev", is_flag=True, help="--chain dev.")


def data_options(function: _Command) -> _Command:
    """Give a command --chain, --base-path and --dev; `data_of` says what they mean."""
    return _CHAIN(_BASE_PATH(_DEV(function)))


def data_of(chain: str | None, base_path: Path | None, dev: bool) -> tuple[ChainSpec, Path]:
    """Return the chain and the base path that are meant."""
    if chain is None and not dev:
        raise ConfigError("which chain? give --chain (a chain spec's file or built-in name) or --dev")
    spec = load(chain or "dev")
    return spec, base_path or default_base_path(spec.id)


def block_id(text: str) -> int | bytes | None:
    """Return the number or hash of a block; None for `latest`."""
    if text == "latest":
        return None
    if text.startswith("0x"):
        return parse_hex(text, "block hash", 32)
    if not text.isascii() or not text.isdecimal() or int(text) >= 2**64:
        raise ConfigError(f"{text!r} is not a block: write a number, a 0x hash or latest")
    return int(text)


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, which gets its name only once it is whole. Raise OSError when the disk refuses."""
    beside = path.with_name(path.name + ".partial")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def written_text(path: Path) -> Iterator[TextIO]:
    """The same for text."""
    beside = path.with_name(path.name + ".partial")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show on stderr, if that is a terminal, how far a command is; it tells how much is done of `total`."""
    if not sys.stderr.isatty():
        yield lambda now: None
        return
    done = 0
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:

        def show(now: int) -> None:
            nonlocal done
            bar.update(now - done)
            done = now

        yield show

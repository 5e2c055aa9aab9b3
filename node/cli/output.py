"""How commands read common arguments and print facts: for people by default, as JSON with --json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from node.errors import ConfigError
from pocl.extrinsics import U128_MAX
from pocl.keys import Keypair, ss58_decode, ss58_encode

_AMOUNT = re.compile(r"([0-9]{1,39})(?:\.([0-9]{1,30}))?(?: ?([A-Za-z][A-Za-z0-9]*))?")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")


def print_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print an object: as JSON, or as aligned `name  value` lines with nested ones indented."""
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        for line in _lines(facts, ""):
            click.echo(line)


def print_rows(name: str, rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print a list of objects: as JSON {name: rows}, or as a table with the first row's fields as columns."""
    if as_json:
        click.echo(json.dumps({name: list(rows)}, indent=2, ensure_ascii=False))
        return
    if not rows:
        click.echo(f"no {name}")
        return
    columns = list(rows[0])
    cells = [columns] + [[_plain(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def hex_text(data: bytes) -> str:
    """Return bytes as 0x and hexadecimal digits."""
    return "0x" + data.hex()


def parse_hex(text: str, what: str, size: int | None = None) -> bytes:
    """Return the bytes of a 0x text. Raise ConfigError naming `what` it should have been."""
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise ConfigError(
            f"{what} {text[:80]!r} is not hexadecimal: write 0x and hexadecimal digits"
        ) from None
    if size is not None and len(data) != size:
        raise ConfigError(f"{what} {text[:80]!r} has {len(data)} bytes: it must have {size}")
    return data


def parse_account(text: str) -> bytes:
    """Return an account's 32 bytes from an SS58 address, 0x public key or development URI such as //Alice."""
    if text.startswith("//"):
        return Keypair.from_uri(text).public
    if text.startswith("0x"):
        return parse_hex(text, "account", 32)
    return ss58_decode(text)


def address(account: bytes) -> str:
    """Return an account's SS58 address, "" for none."""
    return ss58_encode(account) if account else ""


def parse_amount(text: str, decimals: int, symbol: str) -> int:
    """Return an amount in the smallest unit: `1500` is that many of it, `1.5POCL` or `2 POCL` whole coins.

    A decimal point without the symbol is refused: which unit is meant must be said.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or (match[2] is not None and match[3] is None):
        raise ConfigError(
            f"amount {text!r} is not an amount: write a whole number of the smallest unit, or coins as 1.5{symbol}"
        )
    if match[3] is None:
        value = int(match[1])
    elif match[3].upper() != symbol.upper():
        raise ConfigError(f"amount {text!r} is in {match[3]}: this chain's coin is {symbol}")
    else:
        fraction = match[2] or ""
        if len(fraction) > decimals:
            raise ConfigError(
                f"amount {text!r} is finer than the smallest unit: {symbol} has {decimals} decimals"
            )
        value = int(match[1]) * 10**decimals + int(fraction.ljust(decimals, "0") or "0")
    if not 0 < value <= U128_MAX:
        raise ConfigError(f"amount {text!r} must be above zero and fit in a u128")
    return value


def format_amount(value: int, decimals: int, symbol: str) -> str:
    """Return an amount of the smallest unit as coins, exactly: 1500000000000 -> `1.5 POCL`."""
    whole, fraction = divmod(value, 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{whole}{'.' + digits if digits else ''} {symbol}"


def _lines(facts: Mapping[str, Any], indent: str) -> list[str]:
    width = max((len(name) for name in facts), default=0)
    lines = []
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value:
            lines.append(f"{indent}{name}")
            for item in value:
                if isinstance(item, Mapping):
                    text = "  ".join(f"{key}={_plain(part)}" for key, part in item.items())
                else:
                    text = _plain(item)
                lines.append(f"{indent}  - {text}")
        else:
            lines.append(f"{indent}{name.ljust(width)}  {_plain(value)}".rstrip())
    return lines


def _plain(value: Any) -> str:
    if value is None or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, (Mapping, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)

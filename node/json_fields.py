"""Reading JSON objects strictly: every error names the file, the field, what it is and what it may be."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from node.errors import ChainSpecError, ConfigError
from pocl.extrinsics import U128_MAX
from pocl.keys import AddressError, ss58_decode

_HASH = re.compile(r"0x[0-9a-f]{64}")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,38}")


class Fields:
    """The fields of one JSON object, each of which is read once; `done` refuses what was not read.

    `source` is the file's name and `path` the object's place in it, both for messages only.
    """

    document = "a chain spec"
    """What is read, for messages."""
    failure: type[ConfigError] = ChainSpecError
    """What is raised."""

    def __init__(self, source: str, path: str, value: object) -> None:
        self.source = source
        self.path = path
        if not isinstance(value, dict):
            raise self.error("", f"is {shown(value)}: it must be a JSON object")
        self.values: dict[str, Any] = value
        self._known: set[str] = set()

    def error(self, name: str, problem: str) -> ConfigError:
        """Return the error that says `problem` of a field ("" for the object itself)."""
        place = ".".join(part for part in (self.path, name) if part)
        return self.failure(f"{self.source}: {place or 'the file'} {problem}")

    def take(self, name: str) -> Any:
        """Return a field's value as it is. Raise ChainSpecError when it is missing."""
        self._known.add(name)
        if name not in self.values:
            raise self.error(name, "is missing")
        return self.values[name]

    def given(self, name: str) -> bool:
        """Return whether the object has a field that it need not have."""
        return name in self.values

    def section(self, name: str) -> Self:
        """Return the fields of a nested object."""
        place = ".".join(part for part in (self.path, name) if part)
        return type(self)(self.source, place, self.take(name))

    def text(self, name: str, pattern: str = r"\S(.{0,62}\S)?", hint: str = "1 to 64 characters") -> str:
        """Return a string that matches `pattern` fully; `hint` describes the pattern."""
        value = self.take(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.error(name, f"is {shown(value)}: it must be a string of {hint}")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Return a string that is one of `choices`."""
        value = self.take(name)
        if value not in choices or not isinstance(value, str):
            raise self.error(name, f"is {shown(value)}: it must be {' or '.join(map(repr, choices))}")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(name, f"is {shown(value)}: it must be a whole number from {low} to {high}")
        return value

    def amount(self, name: str) -> int:
        """Return a u128 written as a decimal string (JSON numbers lose digits beyond 2^53)."""
        return self.amount_of(name, self.take(name))

    def amount_of(self, name: str, value: object) -> int:
        """Check an amount that stands in a list, `name` being its place."""
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or int(value) > U128_MAX:
            raise self.error(
                name, f'is {shown(value)}: it must be a u128 as a decimal string, such as "1000"'
            )
        return int(value)

    def hash(self, name: str) -> bytes:
        """Return 32 bytes written as 0x and 64 lower-case hexadecimal digits."""
        value = self.take(name)
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            raise self.error(
                name, f"is {shown(value)}: it must be a string of 0x and 64 lower-case hexadecimal digits"
            )
        return bytes.fromhex(value[2:])

    def items(self, name: str) -> list[Any]:
        """Return a list as it is."""
        value = self.take(name)
        if not isinstance(value, list):
            raise self.error(name, f"is {shown(value)}: it must be a list")
        return value

    def account(self, name: str, value: object, prefix: int) -> bytes:
        """Return the 32 bytes of an SS58 address that stands in a list, `name` being its place."""
        if not isinstance(value, str):
            raise self.error(name, f"is {shown(value)}: it must be an SS58 address as a string")
        try:
            return ss58_decode(value, prefix)
        except AddressError as error:
            raise self.error(name, f"is wrong: {error}") from None

    def done(self) -> None:
        """Raise ChainSpecError when the object has fields that nothing read."""
        unknown = sorted(set(self.values) - self._known)
        if unknown:
            known = ", ".join(sorted(self._known))
            raise self.error(
                unknown[0], f"is not a field of {self.document}: remove it (known here: {known})"
            )


def read_json(path: Path) -> object:
    """Return the JSON value of a file. Raise ChainSpecError when it cannot be read or is not JSON.

    A name given twice is refused: JSON would silently keep the last one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ChainSpecError(f"{path}: not a chain spec: it is not UTF-8 text") from None
    except OSError as error:
        raise ChainSpecError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ChainSpecError(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ChainSpecError(f"{path}: not a chain spec: {str(error) or 'nested too deep'}") from None


def shown(value: object) -> str:
    """Return a value as a message shows it: as JSON, cut to one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} is given twice")
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number that JSON knows")

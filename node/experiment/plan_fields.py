"""Reading an experiment's TOML strictly: every error names the file, the field, what it is and what it may be."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.errors import ConfigError, ExperimentError
from node.json_fields import Fields, shown

CHOICES = ("name", "rule", "kind")
"""Fields that say what the others of their table are about."""


class PlanFields(Fields):
    """The fields of one table of a plan."""

    document = "an experiment"
    failure: type[ConfigError] = ExperimentError

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """Return a number from `low` to `high`, whole or not."""
        if not self.given(name):
            return default
        value = self.take(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(name, f"is {shown(value)}: it must be a number from {low:g} to {high:g}")
        return float(value)

    def integers(self, name: str, low: int, high: int, what: str) -> tuple[int, ...]:
        """Return different whole numbers from `low` to `high`, at least one."""
        values = self.items(name)
        if not values:
            raise self.error(name, f"is empty: list at least one of {what}")
        for index, value in enumerate(values):
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise self.error(f"{name}[{index}]", f"is {shown(value)}: {what} are {low} to {high}")
            if value in values[:index]:
                raise self.error(f"{name}[{index}]", f"is {value} again: list it once")
        return tuple(values)

    def table(self, name: str) -> PlanFields:
        """Return the fields of a table that may be left out."""
        place = ".".join(part for part in (self.path, name) if part)
        return type(self)(self.source, place, self.take(name) if self.given(name) else {})


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's table. Raise ExperimentError when it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ExperimentError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{path}: is not TOML: {error}") from None


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a table's values by dotted names."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{place}.")
        else:
            found[place] = value
    return found


def merge(target: dict[str, Any], name: str, value: Any) -> None:
    """Set the field of a dotted name; a table is merged into the one that is there, unless it makes a choice:
    parameters of one rule mean nothing to another.

    Raise KeyError with the part of the name that is no table.
    """
    *sections, last = name.split(".")
    for depth, section in enumerate(sections):
        inner = target.setdefault(section, {})
        if not isinstance(inner, dict):
            raise KeyError(".".join(sections[: depth + 1]))
        target = inner
    chosen = isinstance(value, Mapping) and any(name in value for name in CHOICES)
    if isinstance(value, Mapping) and isinstance(target.get(last), dict) and not chosen:
        for key, part in value.items():
            merge(target[last], key, part)
    else:
        target[last] = value

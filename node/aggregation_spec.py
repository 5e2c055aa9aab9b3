"""The chain spec's `genesis.round.aggregation`: the name of a rule, or a section with its name and parameters.

    "aggregation": "fedavg"
    "aggregation": {"rule": "trimmed_mean", "trim": 1}
    "aggregation": {"rule": "fedavgm", "learning_rate": "1", "momentum": "0.9"}

Every parameter of the rule is given, and no other (pallets/round/aggregation_rules.py lists them). Those that need
not be whole are decimal strings of at most six digits behind the point: the chain keeps millionths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.json_fields import Fields, shown
from pallets.round.aggregation_rules import MILLION, PARAMETERS, RULES, SERVER_STATE_FACTOR, flaw

_DECIMAL = r"(0|[1-9][0-9]{0,6})(\.[0-9]{1,6})?"


@dataclass(frozen=True)
class AggregationSpec:
    """An aggregation rule. `parameters` are what the chain keeps: fractions in millionths, none that is 0."""

    rule: str
    parameters: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str | dict[str, str | int]:
        """Return what the chain spec says, from which `read_aggregation` makes an equal one."""
        names = RULES[self.rule].parameters
        if not names:
            return self.rule
        return {"rule": self.rule} | {name: _text(name, self.parameters.get(name, 0)) for name in names}

    def server_state_factor(self) -> int:
        """Return how many times larger than a model the rule's own state may be; 0 when it keeps none."""
        return SERVER_STATE_FACTOR if RULES[self.rule].keeps_state else 0

    def __str__(self) -> str:
        """Return the rule as people read it: trimmed_mean (trim 1)."""
        said = self.to_json()
        if isinstance(said, str):
            return said
        return f"{self.rule} ({', '.join(f'{name} {said[name]}' for name in said if name != 'rule')})"


def read_aggregation(fields: Fields, winners: int) -> AggregationSpec:
    """Return the rule of the field `aggregation`. Raise ChainSpecError for anything malformed in it."""
    if not isinstance(fields.values.get("aggregation"), dict):
        rule = fields.choice("aggregation", tuple(RULES))
        if RULES[rule].parameters:
            names = ", ".join(RULES[rule].parameters)
            raise fields.error(
                "aggregation", f'is "{rule}", which has parameters: it must be an object of rule, {names}'
            )
        return AggregationSpec(rule)
    section = fields.section("aggregation")
    rule = section.choice("rule", tuple(RULES))
    given = {name: _read(section, name) for name in RULES[rule].parameters}
    section.done()
    wrong = flaw(rule, given, winners)
    if wrong is not None:
        raise section.error(*wrong)
    return AggregationSpec(rule, {name: value for name, value in given.items() if value})


def _read(section: Fields, name: str) -> int:
    bounds = PARAMETERS[name]
    if not bounds.fraction:
        return section.integer(name, bounds.low, bounds.high)
    text = section.take(name)
    if isinstance(text, str) and re.fullmatch(_DECIMAL, text):
        whole, _, part = text.partition(".")
        value = int(whole) * MILLION + int(part.ljust(6, "0"))
        if bounds.low <= value <= bounds.high:
            return value
    raise section.error(
        name,
        f"is {shown(text)}: it must be a decimal string from {_decimal(bounds.low)} to {_decimal(bounds.high)}, "
        "of at most six digits behind the point",
    )


def _text(name: str, value: int) -> str | int:
    return _decimal(value) if PARAMETERS[name].fraction else value


def _decimal(value: int) -> str:
    """Return millionths as a decimal string without zeros at its end."""
    whole, part = divmod(value, MILLION)
    return f"{whole}.{part:06}".rstrip("0").rstrip(".") if part else str(whole)

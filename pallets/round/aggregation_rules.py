"""The aggregation rules by name: what each asks of the chain spec, and what the runtime knows of it.

How they work off chain is in pallets/aggregation/rules; docs/protocol.md lists them. Fractions are whole
millionths here, decimal strings in a chain spec ("0.9").

What no round could be held with is refused at genesis: of K winners krum needs 2·faulty + 3, and a trimmed
mean more than two trims. When the audit leaves fewer winners than K, the rule takes as much of the parameter
as they allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pocl.v1.round_pb2 import RoundConfig

MILLION = 1_000_000
"""Units of a fraction in 1."""

SERVER_STATE_FACTOR = 4
"""A server state has at most two numbers of eight bytes for each weight of four."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The bounds of a parameter, both included; a fraction is in millionths."""

    low: int
    high: int
    fraction: bool = False


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What a rule needs: its parameters, and whether it keeps a state from round to round."""

    parameters: tuple[str, ...] = ()
    keeps_state: bool = False


PARAMETERS: Mapping[str, Parameter] = {
    "faulty": Parameter(1, 126),
    "selected": Parameter(1, 256),
    "trim": Parameter(1, 127),
    "steps": Parameter(1, 64),
    "weight_cap": Parameter(MILLION, 1000 * MILLION, fraction=True),
    "norm": Parameter(1, 1_000_000 * MILLION, fraction=True),
    "radius": Parameter(1, 1000 * MILLION, fraction=True),
    "learning_rate": Parameter(1, 100 * MILLION, fraction=True),
    "momentum": Parameter(0, MILLION - 1, fraction=True),
    "beta_1": Parameter(0, MILLION - 1, fraction=True),
    "beta_2": Parameter(0, MILLION - 1, fraction=True),
    "adaptivity": Parameter(1, 1000 * MILLION, fraction=True),
}

RULES: Mapping[str, RuleFacts] = {
    "fedavg": RuleFacts(),
    "weighted": RuleFacts(("weight_cap",)),
    "fedavgm": RuleFacts(("learning_rate", "momentum"), keeps_state=True),
    "fedadam": RuleFacts(("learning_rate", "beta_1", "beta_2", "adaptivity"), keeps_state=True),
    "median": RuleFacts(),
    "trimmed_mean": RuleFacts(("trim",)),
    "krum": RuleFacts(("faulty",)),
    "multi_krum": RuleFacts(("faulty", "selected")),
    "geometric_median": RuleFacts(("steps",)),
    "norm_clipping": RuleFacts(("norm",)),
    "centred_clipping": RuleFacts(("radius", "steps")),
}


def flaw(rule: str, parameters: Mapping[str, int], winners: int) -> tuple[str, str] | None:
    """Return (parameter, what is wrong with it) of a rule among K `winners`, None when all is well.

    `parameters` has those that are given; 0 is a value.
    """
    facts = RULES[rule]
    for name in parameters:
        if name not in facts.parameters:
            return name, f"is given but {rule} has no such parameter"
    for name in facts.parameters:
        low, high = PARAMETERS[name].low, PARAMETERS[name].high
        value = parameters.get(name, 0)
        if not low <= value <= high:
            unit = " millionths" if PARAMETERS[name].fraction else ""
            return name, f"is {value}{unit}: it may be {low} to {high}"
    if "faulty" in facts.parameters:
        faulty = parameters["faulty"]
        if winners < 2 * faulty + 3:
            return "faulty", f"is {faulty} but winners is {winners}: {rule} needs 2 * faulty + 3 winners"
        if parameters.get("selected", 0) > winners - faulty - 2:
            most = winners - faulty - 2
            return "selected", f"is {parameters['selected']}: it may be up to winners - faulty - 2 = {most}"
    if "trim" in facts.parameters and 2 * parameters["trim"] >= winners:
        return "trim", f"is {parameters['trim']} but winners is {winners}: more than 2 * trim must be left"
    return None


def given_parameters(config: RoundConfig) -> dict[str, int]:
    """Return the parameters of a chain's rule that are not 0, by name."""
    return {field.name: value for field, value in config.aggregation_parameters.ListFields()}


def keeps_state(config: RoundConfig) -> bool:
    """Return whether the chain's rule has a server state."""
    return RULES[config.aggregation].keeps_state


def max_server_state_bytes(config: RoundConfig) -> int:
    """Return the most bytes of a server state; 0 under a rule that keeps none."""
    return SERVER_STATE_FACTOR * config.max_weights_bytes if keeps_state(config) else 0

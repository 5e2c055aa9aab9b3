"""The plan of an experiment: which chain, miners, behaviours, seeds, and what is varied.

    name = "knn-attack"            of its folder of results: small letters, digits and hyphens
    description = "..."            one line, shown in results
    chain = "local"                the chain spec that everything starts from: a built-in name or a file
    miners = 10
    rounds = 20
    seeds = [1, 2, 3]              every cell is run once a seed: it becomes learning.seed and learning.partition.seed
    trainer = "keras"              keras | numpy (dense networks only): for --simulate; real workers use Keras

    [spec]                         fields of the chain spec by dotted name, instead of those of `chain`
    genesis.round.winners = 5
    learning.partition.kind = "grouped"

    [groups.attackers]             miners that differ; all others are the group "honest"
    miners = [1, 6]                by their number, which is that of the partition: 0 is the first miner
    behaviour = "knn"              or with parameters: { name = "sign_flip", scale = 10 }
    speed = 0.5                    --simulate: computes that many times as fast as others

    [time]                         --simulate: milliseconds of virtual time
    batch_ms = 20.0                a batch of training takes
    record_ms = 0.5                a record that is predicted takes
    call_ms = 50                   a call takes to whoever makes the next block

    [grid]                         every combination of these values is a cell
    genesis.round.winners = [1, 2, 3]
    attackers.behaviour = ["honest", "knn"]
    miners = [10, 20]

    [[leave_out]]                  combinations of listed values that are no cells
    attackers.behaviour = ["honest"]
    genesis.round.winners = [1, 2]

A value that is a table is merged into what the chain spec has. One that says which rule, behaviour or partition it is
about, such as `{ rule = "trimmed_mean", trim = 1 }` for genesis.round.aggregation, takes the place of what is there.
Every cell's chain spec is parsed when the plan is read, so that none fails after hours.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from node.chain_spec import ChainSpec, load, parse
from node.dev_accounts import MAX_DEV_ACCOUNTS, with_validators
from node.experiment.behaviour import Behaviour, read_behaviour
from node.experiment.plan_fields import CHOICES, PlanFields, flat, merge, read_toml
from node.json_fields import shown
from node.worker import HONEST

TRAINERS = ("keras", "numpy")
HONEST_GROUP = HONEST
SECTIONS = ("consensus", "genesis", "learning")
"""Of the chain spec: what an experiment may change."""

MAX_CELLS = 10_000
_MAX_SEED = 2**31
_NAME = r"[a-z0-9][a-z0-9-]{0,63}"


@dataclass(frozen=True)
class Group:
    """Miners that behave alike."""

    name: str
    miners: tuple[int, ...]
    behaviour: Behaviour
    speed: float


@dataclass(frozen=True)
class VirtualTime:
    """How long things take in a simulation, in milliseconds (rules in the module's docstring)."""

    batch_ms: float
    record_ms: float
    call_ms: int


@dataclass(frozen=True)
class Cell:
    """One combination of the varied values, and the experiment they make."""

    index: int
    values: Mapping[str, Any]
    miners: int
    rounds: int
    groups: tuple[Group, ...]
    spec: Mapping[str, Any]
    """The chain spec as its JSON object; seeds are those of the chain it was made from."""

    @property
    def label(self) -> str:
        """The varied values in short: the last part of each field's name."""
        return label_of(self.values)

    def chain(self, seed: int) -> ChainSpec:
        """Return the cell's chain spec with a seed."""
        value = deepcopy(dict(self.spec))
        value["learning"]["seed"] = seed
        if "partition" in value["learning"]:  # miners with data of their own have none
            value["learning"]["partition"]["seed"] = seed
        return parse(value, f"cell {self.index} ({self.label})")

    def group_of(self, miner: int) -> Group:
        """Return the group of a miner."""
        for group in self.groups:
            if miner in group.miners:
                return group
        return Group(HONEST_GROUP, (), Behaviour(), 1.0)


@dataclass(frozen=True)
class Plan:
    """A whole experiment, checked. `table` is what the file says, `base` the chain spec it names."""

    name: str
    description: str
    seeds: tuple[int, ...]
    trainer: str
    time: VirtualTime
    cells: tuple[Cell, ...]
    varied: tuple[str, ...]
    table: Mapping[str, Any]
    base: Mapping[str, Any]

    @property
    def total_rounds(self) -> int:
        """Rounds of all cells and seeds."""
        return len(self.seeds) * sum(cell.rounds for cell in self.cells)


def label_of(values: Mapping[str, Any]) -> str:
    """Return a cell's varied values as one short text, "" for a cell that varies nothing."""
    return ", ".join(f"{name.rpartition('.')[2]}={value_label(value)}" for name, value in values.items())


def value_label(value: Any) -> str:
    """Return a varied value as one word: a table as trimmed_mean:trim=1, as behaviours are written."""
    if isinstance(value, Mapping):
        kind = next((value[name] for name in CHOICES if name in value), "")
        parts = [f"{name}={value_label(part)}" for name, part in value.items() if name not in CHOICES]
        return ":".join(part for part in (kind, ",".join(parts)) if part)
    return value if isinstance(value, str) else json.dumps(value)


def load_plan(path: Path) -> Plan:
    """Return the plan of a file. Raise ExperimentError, or ChainSpecError for a cell's chain spec."""
    return parse_plan(read_toml(path), str(path))


def parse_plan(table: Mapping[str, Any], source: str) -> Plan:
    """Return the plan that a TOML table holds; `source` is its file's name, for messages."""
    fields = PlanFields(source, "", table)
    name = fields.text("name", _NAME, "small letters, digits and hyphens, at most 64")
    description = (
        fields.text("description", r"[^\n]{1,300}", "one line of at most 300 characters")
        if fields.given("description")
        else ""
    )
    base = load(fields.text("chain", r".{1,500}", "a chain spec's name or file"))
    spec = fields.table("spec")
    _require_sections(spec)
    time = _time(fields.table("time"))
    seeds = fields.integers("seeds", 0, _MAX_SEED, "seeds")
    trainer = fields.choice("trainer", TRAINERS) if fields.given("trainer") else "keras"
    fields.integer("miners", 1, MAX_DEV_ACCOUNTS)
    fields.integer("rounds", 1, 1_000_000)
    groups = fields.table("groups")
    varied = _grid(fields.table("grid"), groups)
    left_out = _left_out(fields, varied)
    fields.done()
    combinations = [dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())]
    wanted = [values for values in combinations if not any(_matches(values, out) for out in left_out)]
    if not wanted:
        raise fields.error("leave_out", "leaves nothing to run")

    @cache
    def base_of(miners: int) -> dict[str, Any]:
        return with_validators(base, miners).to_dict()

    cells = [_cell(index, values, table, base_of, source) for index, values in enumerate(wanted)]
    return Plan(
        name, description, seeds, trainer, time, tuple(cells), tuple(varied), dict(table), base.to_dict()
    )


def _time(fields: PlanFields) -> VirtualTime:
    time = VirtualTime(
        batch_ms=fields.number("batch_ms", 0, 1e6, 20.0),
        record_ms=fields.number("record_ms", 0, 1e6, 0.5),
        call_ms=int(fields.number("call_ms", 0, 1e6, 50)),
    )
    fields.done()
    return time


def _require_sections(fields: PlanFields) -> None:
    for name in fields.values:
        if name.split(".")[0] not in SECTIONS:
            raise fields.error(name, f"cannot be set: an experiment changes fields of {', '.join(SECTIONS)}")


def _grid(fields: PlanFields, groups: PlanFields) -> dict[str, list[Any]]:
    """Return the values of each varied field, by dotted name."""
    varied = flat(fields.values)
    for name, values in varied.items():
        first, _, rest = name.partition(".")
        known = name in ("miners", "rounds") or (rest and (first in SECTIONS or first in groups.values))
        if not known:
            raise fields.error(
                name,
                f"is no field: it must be miners, rounds, a field of {', '.join(SECTIONS)}, "
                "or one of a group such as attackers.behaviour",
            )
        if not isinstance(values, list) or not values:
            raise fields.error(name, f"is {shown(values)}: it must be a list of the values to try")
        if len({json.dumps(value, sort_keys=True, default=str) for value in values}) < len(values):
            raise fields.error(name, f"is {shown(values)}: list each value once")
    count = 1
    for values in varied.values():
        count *= len(values)
    if count > MAX_CELLS:
        raise fields.error("", f"has {count} combinations: at most {MAX_CELLS} are run")
    return varied


def _left_out(fields: PlanFields, varied: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return combinations that are no cells: lists of values by varied field."""
    found = []
    for index, value in enumerate(fields.items("leave_out") if fields.given("leave_out") else []):
        place = f"leave_out[{index}]"
        named = flat(PlanFields(fields.source, place, value).values)
        if not named:
            raise fields.error(place, "is empty: it must list values of varied fields")
        for name, values in named.items():
            if name not in varied:
                raise fields.error(f"{place}.{name}", f"is not varied: the grid has {', '.join(varied)}")
            if not isinstance(values, list) or not all(value in varied[name] for value in values):
                raise fields.error(
                    f"{place}.{name}", f"is {shown(values)}: it must be a list of values that the grid has"
                )
        found.append(named)
    return found


def _matches(values: Mapping[str, Any], combinations: Mapping[str, list[Any]]) -> bool:
    return all(values[name] in listed for name, listed in combinations.items())


def _cell(
    index: int,
    values: Mapping[str, Any],
    table: Mapping[str, Any],
    base_of: Callable[[int], dict[str, Any]],
    source: str,
) -> Cell:
    changed: dict[str, Any] = deepcopy(dict(table))
    for name, value in values.items():
        first = name.split(".")[0]
        place = (
            f"spec.{name}"
            if first in SECTIONS
            else name
            if first in ("miners", "rounds")
            else f"groups.{name}"
        )
        _set(changed, place, value, f"{source}: grid.{name}")
    where = f"{source}, cell {label_of(values)}" if values else source
    fields = PlanFields(where, "", changed)
    miners = fields.integer("miners", 1, MAX_DEV_ACCOUNTS)
    spec = deepcopy(base_of(miners))
    for name, value in fields.table("spec").values.items():
        _set(spec, name, value, f"{where}: spec.{name}")
    partition = spec["learning"].get("partition")
    if isinstance(partition, dict):
        partition.setdefault("seed", 0)  # a partition of another kind took the place of the chain's
    parse(spec, where)
    parts = (partition or {}).get("parts", [None] * miners)
    if len(parts) != miners:
        raise fields.error(
            "learning.partition.parts",
            f"has {len(parts)} entries but there are {miners} miners: give each its part",
        )
    return Cell(
        index=index,
        values=values,
        miners=miners,
        rounds=fields.integer("rounds", 1, 1_000_000),
        groups=_groups(fields.table("groups"), miners),
        spec=spec,
    )


def _set(target: dict[str, Any], name: str, value: Any, place: str) -> None:
    try:
        merge(target, name, deepcopy(value))
    except KeyError as error:
        raise PlanFields.failure(f"{place} cannot be set: {error.args[0]} is not a section") from None


def _groups(fields: PlanFields, miners: int) -> tuple[Group, ...]:
    groups = []
    taken: dict[int, str] = {}
    for name in fields.values:
        if name in (*SECTIONS, HONEST_GROUP, "miners", "rounds"):
            raise fields.error(name, "cannot be a group's name: it means something else here")
        part = fields.section(name)
        members = part.integers("miners", 0, miners - 1, "the experiment's miners")
        for member in members:
            if member in taken:
                raise part.error("miners", f"has {member}, which is in group {taken[member]} already")
            taken[member] = name
        try:
            behaviour = read_behaviour(part.take("behaviour") if part.given("behaviour") else HONEST)
        except ValueError as error:
            raise part.error("behaviour", str(error)) from None
        groups.append(Group(name, members, behaviour, part.number("speed", 0.001, 1000, 1.0)))
        part.done()
    return tuple(groups)


def same_plan(plan: Plan, stored: Mapping[str, Any]) -> str | None:
    """Return the first field in which a stored identity differs from the plan's, None when it is the same."""
    now, before = flat(identity(plan)), flat(stored)
    for name in [*now, *before]:
        if now.get(name) != before.get(name):
            return name
    return None


def identity(plan: Plan) -> dict[str, Any]:
    """Return all that a plan's results depend on, as JSON has it. What only describes it is left out."""
    told = {name: value for name, value in plan.table.items() if name != "description"}
    result: dict[str, Any] = json.loads(json.dumps({"plan": told, "chain": plan.base}))
    return result

"""How a miner of an experiment behaves: the one place where experiments and worker behaviours meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.worker.behaviours import BEHAVIOURS, HONEST, DataLearner, behave
from pallets.offchain_protocols import Learner


@dataclass(frozen=True)
class Behaviour:
    """A behaviour by its name (node/worker/behaviours.py), with parameters where it has some."""

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def honest(self) -> bool:
        """Whether it does what the task says."""
        return self.name == HONEST

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(f'{name}={value}' for name, value in self.parameters)})"


def read_behaviour(value: object) -> Behaviour:
    """Return the behaviour that a plan names: "knn", or {name = "knn", ...} with parameters.

    Raise ValueError, which says what is wrong with it.
    """
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError("must be a behaviour's name, or a table with its name and its parameters")
    name, parameters = value["name"], {key: part for key, part in value.items() if key != "name"}
    if name not in BEHAVIOURS:
        raise ValueError(f"names no behaviour: it may be one of {', '.join(sorted(BEHAVIOURS))}")
    if parameters:
        raise ValueError(f"gives {name} the parameter {min(parameters)}: it has no parameters")
    return Behaviour(name, tuple(sorted(parameters.items())))


def behaving(behaviour: Behaviour, learner: DataLearner) -> Learner:
    """Return `learner` behaving that way."""
    return behave(behaviour.name, learner)


def worker_option(behaviour: Behaviour) -> str:
    """Return what a real worker is started with (--worker-behaviour)."""
    return behaviour.name

"""Behaviours by name.

    make("sign_flip", {"scale": 10})        from a table of parameters, as an experiment's file has it
    parse("sign_flip:scale=10,max_drop=0.02")   from a word of a command line
    word("sign_flip", {"scale": 10})        back to such a word, "sign_flip:scale=10"
    make("alie").miner(Seat(context, learner, collusion))

Beside those below, an installed package may bring its own: an entry point in the group `pocl.behaviours`,
whose name is the behaviour's and whose object is its dataclass (node/worker/behaviours/attacker.py).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, cast, get_type_hints

from node.errors import ConfigError
from node.worker import HONEST
from node.worker.behaviours.attacker import Behaviour, Seat
from node.worker.behaviours.ballot_stuffing import BallotStuffing
from node.worker.behaviours.colluding_tests import ColludingTests
from node.worker.behaviours.copying import CopiedPredictions, CopiedWeights
from node.worker.behaviours.estimates import Alie, InnerProduct
from node.worker.behaviours.free_rider import FreeRider
from node.worker.behaviours.knn import Knn
from node.worker.behaviours.label_flip import LabelFlip
from node.worker.behaviours.poisoning import GaussianNoise, Scaled, SignFlip
from node.worker.behaviours.random_predictions import RandomPredictions
from node.worker.behaviours.reward_inflation import RewardInflation
from node.worker.behaviours.withholding import Late, WithheldWeights
from pallets.offchain import Half, Miner

GROUP = "pocl.behaviours"


class BehaviourError(ConfigError):
    """There is no such behaviour, or its parameters cannot be used."""


@dataclasses.dataclass(frozen=True)
class Honest:
    """Do what the task says. Who knows beforehand that a miner is honest need not load this package at all."""

    def miner(self, seat: Seat) -> Half:
        """Return the miner every node has."""
        return Miner(seat.context, seat.learner, parallel_fetches=seat.parallel_fetches)


BUILT_IN: Mapping[str, type[Behaviour]] = {
    HONEST: Honest,
    "alie": Alie,
    "ballot_stuffing": BallotStuffing,
    "colluding_tests": ColludingTests,
    "copied_predictions": CopiedPredictions,
    "copied_weights": CopiedWeights,
    "free_rider": FreeRider,
    "gaussian_noise": GaussianNoise,
    "inner_product": InnerProduct,
    "knn": Knn,
    "label_flip": LabelFlip,
    "late": Late,
    "random_predictions": RandomPredictions,
    "reward_inflation": RewardInflation,
    "scaled": Scaled,
    "sign_flip": SignFlip,
    "withheld_weights": WithheldWeights,
}


def names() -> list[str]:
    """Return the name of every behaviour there is: honest, the built-in attacks, those of installed packages."""
    plugged_in = {point.name for point in entry_points(group=GROUP)} - BUILT_IN.keys()
    return [*BUILT_IN, *sorted(plugged_in)]


def parameters(name: str) -> dict[str, Any]:
    """Return a behaviour's parameters with their defaults. Raise BehaviourError."""
    return {field.name: field.default for field in _fields(name, _behaviour(name))}


def make(name: str, params: Mapping[str, object] | None = None) -> Behaviour:
    """Return a behaviour by name, its parameters changed as given: numbers, booleans and text, or text for all.

    Raise BehaviourError for a name there is not, a parameter it does not have, or a value it cannot take.
    """
    cls = _behaviour(name)
    fields = {field.name for field in _fields(name, cls)}
    types = get_type_hints(cls)
    given = {}
    for key, value in (params or {}).items():
        if key not in fields:
            known = ", ".join(sorted(fields)) or "none"
            raise BehaviourError(f"behaviour {name} has no parameter {key!r}: it has {known}")
        try:
            given[key] = _value(types[key], value)
        except ValueError:
            wanted = types[key].__name__
            raise BehaviourError(f"behaviour {name}: {key} is {value!r}, which is no {wanted}") from None
    try:
        return cast(Behaviour, cls(**given))
    except ValueError as error:
        raise BehaviourError(f"behaviour {name}: {error}") from None


def parse(text: str) -> Behaviour:
    """Return the behaviour of a word NAME or NAME:PARAM=VALUE,PARAM=VALUE. Raise BehaviourError."""
    name, _, rest = text.partition(":")
    params: dict[str, object] = {}
    for part in rest.split(",") if rest else []:
        key, separator, value = part.partition("=")
        if not separator or key in params:
            raise BehaviourError(f"behaviour {text}: {part!r} is not PARAM=VALUE, each once")
        params[key] = value
    return make(name, params)


def word(name: str, params: Mapping[str, object] | None = None) -> str:
    """Return the word that `parse` reads as these: how a worker is told. Raise BehaviourError as `make` does."""
    make(name, params)
    parts = [
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, value in (params or {}).items()
    ]
    return f"{name}:{','.join(parts)}" if parts else name


def _behaviour(name: str) -> type[Any]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except Exception as error:  # somebody else's package: it may fail in any way
            raise BehaviourError(f"behaviour {name}: {point.value} cannot be loaded: {error}") from error
        if not (isinstance(found, type) and hasattr(found, "miner")):
            raise BehaviourError(f"behaviour {name}: {point.value} is no class with a method miner(seat)")
        return found
    raise BehaviourError(f"there is no behaviour {name!r}: it may be one of {', '.join(names())}")


def _fields(name: str, cls: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    if not dataclasses.is_dataclass(cls):
        raise BehaviourError(
            f"behaviour {name}: {cls.__name__} is no dataclass: its fields are the parameters"
        )
    return dataclasses.fields(cls)


def _value(wanted: type, value: object) -> object:
    """Return a value as a parameter's type. Raise ValueError."""
    if wanted is bool:
        if isinstance(value, str) and value in ("true", "false"):
            return value == "true"
        if isinstance(value, bool):
            return value
    elif wanted is str:
        if isinstance(value, str):
            return value
    elif wanted in (int, float) and isinstance(value, int | float | str) and not isinstance(value, bool):
        number = float(value) if wanted is float or isinstance(value, float) else int(value)
        if math.isfinite(number) and number == wanted(number):
            return wanted(number)
    raise ValueError

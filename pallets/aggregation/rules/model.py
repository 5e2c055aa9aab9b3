"""What every aggregation rule works on: the round's winners, the model they started from, the rule's own state.

Winners are sorted by account when they come in, so no rule can depend on their order. Tensors stay float32,
four bytes a weight, until a rule asks for one in fixed point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pallets.aggregation.fixed_point import (
    LIMIT,
    Integers,
    from_fixed,
    read_model,
    read_models,
    require_same_layout,
    squared_length,
    to_fixed,
    write_model,
)
from pallets.offchain_protocols import InvalidWeights
from pocl.v1.round_pb2 import AggregationParameters

Tensors = Mapping[str, npt.NDArray[np.float32]]
FixedModel = dict[str, Integers]
"""A model in fixed point, or anything else with a number for each weight."""


@dataclass(frozen=True, slots=True)
class WinnerModel:
    """A confirmed winner: its weights (safetensors), and the number of samples it says it trained on."""

    account: bytes
    weights: bytes
    sample_count: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """A round's winners, sorted by account, and what else a rule may look at."""

    accounts: Sequence[bytes]
    sample_counts: Sequence[int]
    models: Sequence[Tensors]
    global_model: Tensors
    """The model of which the round started."""
    parameters: AggregationParameters
    seed: bytes
    """The round's seed, which breaks ties."""
    server_state: Mapping[str, FixedModel] = field(default_factory=dict)
    """The rule's own state by kind; empty in the first round."""

    @property
    def names(self) -> list[str]:
        """The tensors' names, sorted."""
        return list(self.global_model)

    def tensors(self, name: str) -> Iterator[Integers]:
        """Yield one tensor of each winner, in fixed point."""
        return (to_fixed(model[name]) for model in self.models)

    def stacked(self, name: str) -> Integers:
        """Return one tensor of all winners in fixed point, the winners along a new first axis."""
        return np.stack(list(self.tensors(name)))

    def start(self) -> FixedModel:
        """Return the global model in fixed point."""
        return {name: to_fixed(tensor) for name, tensor in self.global_model.items()}

    def squared_distances(self, centre: FixedModel) -> list[int]:
        """Return the squared Euclidean distance of each winner from a model, in units of 2^-64, exact."""
        return [
            sum(squared_length(to_fixed(model[name]) - centre[name]) for name in self.names)
            for model in self.models
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule gives: the new global model and, of a rule that keeps one, its state by kind."""

    model: FixedModel
    server_state: Mapping[str, FixedModel] = field(default_factory=dict)


Rule = Callable[[Inputs], Outcome]


def read_inputs(
    models: Sequence[WinnerModel],
    global_model: bytes,
    parameters: AggregationParameters,
    seed: bytes,
) -> Inputs:
    """Return the inputs of a rule, without a server state.

    Raise InvalidWeights when a model is malformed, when the models differ in names or shapes, or when a
    winner counts no samples.
    """
    winners = sorted(models, key=lambda model: model.account)
    tensors = read_models([winner.weights for winner in winners])
    start = read_model(global_model)
    require_same_layout(start, tensors[0])
    if min(winner.sample_count for winner in winners) < 1:
        raise InvalidWeights("a winner trained on no samples")
    return Inputs(
        accounts=[winner.account for winner in winners],
        sample_counts=[winner.sample_count for winner in winners],
        models=tensors,
        global_model=start,
        parameters=parameters,
        seed=seed,
    )


def write_fixed(model: FixedModel) -> bytes:
    """Return the bytes of a model in fixed point, values beyond the bound of a weight put back to it."""
    return write_model({name: from_fixed(np.clip(values, -LIMIT, LIMIT)) for name, values in model.items()})

"""norm_clipping and centred_clipping: means of differences, none of which counts as longer than a bound.

norm_clipping (Sun et al., "Can You Really Backdoor Federated Learning?", 2019): the global model plus the mean
of the winners' differences from it, each shortened to the length `norm`.

centred_clipping (Karimireddy et al., "Learning from History for Byzantine Robust Optimization", ICML 2021):
the same `steps` times, each time around what the last one gave, the first around the global model. The paper
has a fixed radius; here it is `radius` times the low median of the differences, because those of a whole round
of training shrink as the model gets better.

A shortened model is a mean of itself and the centre, so a step is one weighted mean: of the winners, each by
the part of its difference that counts, and of the centre by all that was cut off. Lengths are integer square
roots, rounded down.
"""

from __future__ import annotations

from itertools import chain
from math import isqrt

from pallets.aggregation.fixed_point import MAX_MODELS, MAX_TOTAL_WEIGHT, SCALE, weighted_mean
from pallets.aggregation.rewards import low_median
from pallets.aggregation.rules.model import FixedModel, Inputs, Outcome
from pallets.round.aggregation_rules import MILLION

_WHOLE = MAX_TOTAL_WEIGHT // MAX_MODELS
"""The weight of a difference that is not cut."""


def norm_clipping(inputs: Inputs) -> Outcome:
    """The global model plus the mean of the differences, cut at a fixed length."""
    start = inputs.start()
    bound = inputs.parameters.norm * int(SCALE) // MILLION
    return Outcome(_step(inputs, start, _lengths(inputs, start), bound))


def centred_clipping(inputs: Inputs) -> Outcome:
    """Steps from the global model, each the mean of differences cut at a multiple of their median."""
    centre = inputs.start()
    for _ in range(inputs.parameters.steps):
        lengths = _lengths(inputs, centre)
        bound = low_median(lengths) * inputs.parameters.radius // MILLION
        centre = _step(inputs, centre, lengths, bound)
    return Outcome(centre)


def _lengths(inputs: Inputs, centre: FixedModel) -> list[int]:
    return [isqrt(squared) for squared in inputs.squared_distances(centre)]


def _step(inputs: Inputs, centre: FixedModel, lengths: list[int], bound: int) -> FixedModel:
    parts = [_WHOLE if length <= bound else _WHOLE * bound // length for length in lengths]
    weights = [*parts, len(parts) * _WHOLE - sum(parts)]
    return {
        name: weighted_mean(chain(inputs.tensors(name), [centre[name]]), weights) for name in inputs.names
    }

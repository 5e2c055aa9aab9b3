"""fedavg and weighted: means of the winners.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS 2017,
weight every client by its samples. A sample count is the miner's own word here, which nobody can check, so
`fedavg` counts every winner once, and `weighted` counts nobody's samples beyond `weight_cap` times the median
of all (the lower one of an even number). With K winners a liar has at most weight_cap of about K parts
instead of one; a cap near 1 is fedavg.
"""

from __future__ import annotations

from collections.abc import Sequence

from pallets.aggregation.fixed_point import MAX_MODELS, MAX_TOTAL_WEIGHT, mean, weighted_mean
from pallets.aggregation.rewards import low_median
from pallets.aggregation.rules.model import FixedModel, Inputs, Outcome
from pallets.round.aggregation_rules import MILLION

_MOST = MAX_TOTAL_WEIGHT // MAX_MODELS


def fedavg(inputs: Inputs) -> Outcome:
    """The mean."""
    return Outcome(plain_mean(inputs))


def weighted(inputs: Inputs) -> Outcome:
    """The mean by sample counts, each capped."""
    weights = capped(inputs.sample_counts, inputs.parameters.weight_cap)
    return Outcome({name: weighted_mean(inputs.tensors(name), weights) for name in inputs.names})


def plain_mean(inputs: Inputs) -> FixedModel:
    """Return the mean of the winners."""
    return {name: mean(inputs.tensors(name)) for name in inputs.names}


def capped(sample_counts: Sequence[int], weight_cap: int) -> list[int]:
    """Return what each winner weighs; `weight_cap` is in millionths of the low median of the counts."""
    cap = low_median(sample_counts) * weight_cap // MILLION
    return small([min(count, cap) for count in sample_counts])


def small(weights: list[int]) -> list[int]:
    """Return weights in proportion, none above what a weighted mean of MAX_MODELS bears; none becomes 0."""
    largest = max(weights)
    if largest <= _MOST:
        return weights
    return [max(1, weight * _MOST // largest) for weight in weights]

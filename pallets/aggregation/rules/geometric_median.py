"""geometric_median: the point with the smallest sum of distances to the winners, as near as `steps` bring it.

Pillutla et al., "Robust Aggregation for Federated Learning", IEEE Transactions on Signal Processing 2022, by
the smoothed Weiszfeld algorithm: every step is the mean of the winners, each weighted by 1 / its distance
from where the last step came to. Fewer than half of the winners cannot take the result far away.

The start is the median of each weight, which lies among honest ones already (a mean that one huge model moved
would take many steps to come back). Distances are integer square roots, rounded down. None counts as less
than a sixteenth of their low median: on top of a model the weight would be infinite and the search stuck.
"""

from __future__ import annotations

from math import isqrt

from pallets.aggregation.fixed_point import MAX_MODELS, MAX_TOTAL_WEIGHT, weighted_mean
from pallets.aggregation.rewards import low_median
from pallets.aggregation.rules.model import Inputs, Outcome
from pallets.aggregation.rules.order import coordinate_median

_SMOOTHING = 16
_MOST = MAX_TOTAL_WEIGHT // MAX_MODELS


def geometric_median(inputs: Inputs) -> Outcome:
    """The geometric median."""
    centre = coordinate_median(inputs)
    for _ in range(inputs.parameters.steps):
        distances = [isqrt(squared) for squared in inputs.squared_distances(centre)]
        weights = inverse(distances)
        centre = {name: weighted_mean(inputs.tensors(name), weights) for name in inputs.names}
    return Outcome(centre)


def inverse(distances: list[int]) -> list[int]:
    """Return weights in proportion to 1 / distance; the largest is that of the smallest distance."""
    least = max(1, low_median(distances) // _SMOOTHING)
    smoothed = [max(least, distance) for distance in distances]
    nearest = min(smoothed)
    return [max(1, _MOST * nearest // distance) for distance in smoothed]

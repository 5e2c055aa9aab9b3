"""median and trimmed_mean: for each weight by itself, from the middle of the winners' values.

Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates", ICML 2018. As long as
fewer than half of the winners lie (`median`), or at most `trim` (`trimmed_mean`), every weight of the result
lies between weights of honest winners.
"""

from __future__ import annotations

import numpy as np

from pallets.aggregation.fixed_point import Integers, mean
from pallets.aggregation.rules.model import FixedModel, Inputs, Outcome


def median(inputs: Inputs) -> Outcome:
    """The median of each weight; of an even number the mean of the two in the middle."""
    return Outcome(coordinate_median(inputs))


def trimmed_mean(inputs: Inputs) -> Outcome:
    """The mean of each weight without its `trim` smallest and `trim` largest values.

    Of few winners as many are left out as leave one.
    """
    trim = min(inputs.parameters.trim, (len(inputs.models) - 1) // 2)
    return Outcome({name: _middle(inputs.stacked(name), trim) for name in inputs.names})


def coordinate_median(inputs: Inputs) -> FixedModel:
    """Return the median of each weight."""
    trim = (len(inputs.models) - 1) // 2
    return {name: _middle(inputs.stacked(name), trim) for name in inputs.names}


def _middle(stack: Integers, trim: int) -> Integers:
    """Return the mean along the first axis of what is left without the `trim` smallest and largest."""
    return mean(np.sort(stack, axis=0)[trim : len(stack) - trim])

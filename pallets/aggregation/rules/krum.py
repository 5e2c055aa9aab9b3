"""krum and multi_krum: the winner, or the winners, with the nearest neighbours.

Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent", NeurIPS 2017. The
score of a model is the sum of its squared distances to the n - faulty - 2 nearest others; krum takes the
model of the lowest score, multi_krum the mean of the `selected` lowest (at most n - faulty - 2: El Mhamdi et
al., ICML 2018). It needs n >= 2 * faulty + 3 winners. When the audit left fewer, `faulty` is lowered to what
they allow; of two or less the other one is the neighbour.

Distances are exact integers. Equal scores (of three models the two nearest to each other always have them)
are told apart by H("pocl/krum-tie/1" || the round's seed || account), which nobody could choose.
"""

from __future__ import annotations

from collections.abc import Sequence

from pallets.aggregation.fixed_point import mean, squared_length, to_fixed
from pallets.aggregation.rules.model import Inputs, Outcome
from pocl.hashing import hash256


def krum(inputs: Inputs) -> Outcome:
    """The model with the lowest score."""
    return _mean_of(inputs, ranked(inputs)[:1])


def multi_krum(inputs: Inputs) -> Outcome:
    """The mean of the models with the lowest scores."""
    selected = min(inputs.parameters.selected, _neighbours(inputs))
    return _mean_of(inputs, ranked(inputs)[:selected])


def ranked(inputs: Inputs) -> list[int]:
    """Return the places of the winners, the lowest score first."""
    neighbours = _neighbours(inputs)
    rows = _squared_distances(inputs)
    scores = [sum(sorted(row[:place] + row[place + 1 :])[:neighbours]) for place, row in enumerate(rows)]
    return sorted(
        range(len(scores)),
        key=lambda place: (scores[place], hash256("pocl/krum-tie/1", inputs.seed, inputs.accounts[place])),
    )


def _neighbours(inputs: Inputs) -> int:
    """Return how many neighbours count, at least one."""
    count = len(inputs.models)
    faulty = min(inputs.parameters.faulty, max(0, (count - 3) // 2))
    return max(1, count - faulty - 2)


def _squared_distances(inputs: Inputs) -> list[list[int]]:
    """Return the squared distance of every winner from every other: n² / 2 passes over a model."""
    count = len(inputs.models)
    rows = [[0] * count for _ in range(count)]
    for name in inputs.names:
        for one in range(count):
            ours = to_fixed(inputs.models[one][name])
            for other in range(one):
                squared = squared_length(ours - to_fixed(inputs.models[other][name]))
                rows[one][other] += squared
                rows[other][one] += squared
    return rows


def _mean_of(inputs: Inputs, places: Sequence[int]) -> Outcome:
    return Outcome(
        {name: mean(to_fixed(inputs.models[place][name]) for place in places) for name in inputs.names}
    )

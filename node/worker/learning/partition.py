"""Dealing a shared data set to the miners: every miner computes all shares alike and keeps its own.

    iid         equal shares
    decreasing  miner i of n gets (n - i) / (1 + ... + n), i from 0
    grouped     the first half of the miners (rounded down) gets one part each, the others four: for ten
                miners 1/25 and 4/25, the paper's split
    dirichlet   each class is dealt by proportions drawn from Dirichlet(alpha): label skew, the stronger the
                smaller alpha (Hsu et al., 2019, arXiv:1909.06335)
    parts       miner i gets parts[i] of all parts

Shares are disjoint and together hold every item. In all but dirichlet, items are shuffled first, so all
classes are in every share. Whatever the rule, a share has at least `minimum` items: who has fewer gets them
from the largest share. Miners are numbered by their place in the sorted validator set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from node.learning_task import Partition
from node.worker.learning.errors import DataError
from node.worker.learning.randomness import generator

Indices = npt.NDArray[np.int64]


def partition(labels: npt.NDArray[np.uint8], miners: int, how: Partition, minimum: int) -> list[Indices]:
    """Return each miner's share as indices into `labels`.

    Raise DataError when there are not enough items to give everybody the minimum.
    """
    if len(labels) < miners * minimum:
        raise DataError(
            f"the data set has {len(labels)} items: {miners} miners need at least {minimum} each, "
            f"{miners * minimum} together: lower genesis.round.test_records or take a larger data set"
        )
    rng = generator("partition", how.seed)
    if how.kind == "dirichlet":
        assert how.alpha is not None, "a parsed task has it"
        shares = _dirichlet(labels, miners, how.alpha, rng)
    else:
        shares = _cut(rng.permutation(len(labels)), _parts(how, miners))
    _fill_up(shares, minimum)
    return shares


def _parts(how: Partition, miners: int) -> Sequence[int]:
    """Return how many parts each miner gets."""
    if how.parts is not None:
        if len(how.parts) != miners:
            raise DataError(
                f"learning.partition.parts has {len(how.parts)} entries but there are {miners} miners: "
                "give each its part"
            )
        return how.parts
    if how.kind == "iid":
        return [1] * miners
    if how.kind == "decreasing":
        return [miners - index for index in range(miners)]
    small = miners // 2
    return [1] * small + [4] * (miners - small)


def _cut(items: Indices, parts: Sequence[int]) -> list[Indices]:
    """Cut items in order into pieces in proportion to whole parts; no item is lost to rounding."""
    ends = np.cumsum(parts) * len(items) // sum(parts)
    return np.split(items, ends[:-1])


def _dirichlet(
    labels: npt.NDArray[np.uint8], miners: int, alpha: float, rng: np.random.Generator
) -> list[Indices]:
    shares: list[list[Indices]] = [[] for _ in range(miners)]
    for label in np.unique(labels):
        items = rng.permutation(np.flatnonzero(labels == label))
        ends = (np.cumsum(rng.dirichlet([alpha] * miners)) * len(items)).astype(np.int64)
        for share, piece in zip(shares, np.split(items, ends[:-1]), strict=True):
            share.append(piece)
    # Shuffled, so that what `_fill_up` moves is a fair sample of the share it takes from.
    return [rng.permutation(np.concatenate(share)) for share in shares]


def _fill_up(shares: list[Indices], minimum: int) -> None:
    for index in range(len(shares)):
        while (missing := minimum - len(shares[index])) > 0:
            largest = max(range(len(shares)), key=lambda other: len(shares[other]))
            take = min(missing, len(shares[largest]) - minimum)
            shares[index] = np.concatenate([shares[index], shares[largest][-take:]])
            shares[largest] = shares[largest][:-take]

"""Dealing a data set to the miners: disjoint, whole, and the same everywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.learning_task import Partition
from node.worker.learning.errors import DataError
from node.worker.learning.partition import partition

LABELS = np.random.default_rng(5).integers(0, 10, 1000).astype(np.uint8)
KINDS = {"iid": None, "decreasing": None, "grouped": None, "dirichlet": 0.3}


def sizes(kind: str, miners: int, items: int = 1000, minimum: int = 1) -> list[int]:
    return [
        len(share) for share in partition(LABELS[:items], miners, Partition(kind, 3, KINDS[kind]), minimum)
    ]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 2**53 - 1),
    miners=st.integers(1, 12),
    minimum=st.integers(1, 20),
    items=st.integers(240, 1000),
    alpha=st.sampled_from([0.01, 0.5, 100.0]),
)
def test_shares_are_disjoint_hold_everything_and_reach_the_minimum(
    kind: str, seed: int, miners: int, minimum: int, items: int, alpha: float
) -> None:
    how = Partition(kind, seed, alpha if kind == "dirichlet" else None)
    shares = partition(LABELS[:items], miners, how, minimum)
    assert len(shares) == miners
    assert sorted(np.concatenate(shares).tolist()) == list(range(items))
    assert min(map(len, shares)) >= minimum
    again = partition(LABELS[:items], miners, how, minimum)
    assert all(np.array_equal(one, other) for one, other in zip(shares, again, strict=True))


def test_sizes_follow_the_rule() -> None:
    assert sizes("iid", 4) == [250] * 4
    assert sizes("iid", 3) == [333, 333, 334]
    assert sizes("decreasing", 4) == [400, 300, 200, 100]
    # The paper's grouped split: five miners of 1/25, five of 4/25.
    assert sizes("grouped", 10) == [40] * 5 + [160] * 5
    assert sizes("grouped", 3, items=900) == [100, 400, 400]
    assert sizes("grouped", 1) == [1000]


def test_every_miner_may_have_its_own_part() -> None:
    how = Partition("parts", 3, parts=(1, 5, 4))
    assert [len(share) for share in partition(LABELS, 3, how, 1)] == [100, 500, 400]
    with pytest.raises(DataError, match="parts has 3 entries but there are 4 miners"):
        partition(LABELS, 4, how, 1)


def test_the_minimum_is_taken_from_the_largest_share() -> None:
    assert sizes("decreasing", 4, minimum=150) == [350, 300, 200, 150]
    assert sizes("iid", 4, minimum=250) == [250] * 4


def test_another_seed_is_another_deal() -> None:
    one, other = (partition(LABELS, 2, Partition("iid", seed), 1)[0] for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_dirichlet_skews_labels_the_more_the_smaller_alpha() -> None:
    def largest_class(alpha: float) -> float:
        shares = partition(LABELS, 5, Partition("dirichlet", 1, alpha), 20)
        return float(np.mean([np.bincount(LABELS[share]).max() / len(share) for share in shares]))

    assert largest_class(0.05) > 0.5
    assert largest_class(100) < 0.2


def test_too_few_items_are_one_clear_line() -> None:
    with pytest.raises(
        DataError, match=r"has 100 items: 4 miners need at least 26 each, 104 together: lower"
    ) as e:
        partition(LABELS[:100], 4, Partition("iid", 0), 26)
    assert "\n" not in str(e.value)

"""What a miner holds out for evaluation, and the rest as its share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.worker.learning.datasets import load_dataset
from node.worker.learning.errors import DataError
from node.worker.learning.metrics import measured
from node.worker.learning.own.held_out import hold_out
from node.worker.learning.share import share_of
from tests.node.worker.own.common import ARRAYS
from tests.node.worker.tasks import task_of

TASK = task_of(ARRAYS)


def made_up(values: list[int]) -> npt.NDArray[np.float32]:
    """Return a record for each number: equal ones for equal numbers."""
    return np.repeat(np.array(values, np.float32), 6).reshape(-1, 2, 3)


def values_of(inputs: npt.NDArray[Any]) -> list[int]:
    return [int(value) for value in inputs[:, 0, 0]]


@given(st.lists(st.integers(0, 1000), min_size=5, max_size=100, unique=True), st.randoms())
def test_a_fifth_whatever_the_order(values: list[int], random: Any) -> None:
    inputs = made_up(values)
    held = hold_out(inputs, TASK)
    assert held.sum() == len(values) // 5
    shuffled = random.sample(values, len(values))
    again = made_up(shuffled)
    assert set(values_of(again[hold_out(again, TASK)])) == set(values_of(inputs[held]))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_copies_are_on_one_side(values: list[int]) -> None:
    inputs = made_up(values)
    held = hold_out(inputs, TASK)
    assert not set(values_of(inputs[held])) & set(values_of(inputs[~held]))
    assert held.any()


def test_more_records_move_few() -> None:
    values = list(range(2000))
    before, after = made_up(values[:1000]), made_up(values)
    old, new = hold_out(before, TASK), hold_out(after, TASK)[:1000]
    assert np.count_nonzero(old != new) < 60


def test_the_task_may_want_fewer_and_another_seed_holds_out_others() -> None:
    inputs = made_up(list(range(100)))
    assert hold_out(inputs, task_of(ARRAYS, evaluation_records=7)).sum() == 7
    assert hold_out(inputs, task_of(ARRAYS, evaluation_records=70)).sum() == 20
    assert (hold_out(inputs, TASK) != hold_out(inputs, task_of(ARRAYS, seed=1))).any()


def test_the_rest_is_the_share(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=made_up(list(range(60))), y=np.arange(60) % 3)
    data = load_dataset(TASK, tmp_path)
    assert sorted(values_of(data.x_train) + values_of(data.x_test)) == list(range(60))
    assert data.y_train.tolist() == [value % 3 for value in values_of(data.x_train)]
    # Whoever the miner is among others, the data is its own.
    assert share_of(TASK, data, 2, 9, 24).tolist() == list(range(48))
    with pytest.raises(DataError) as caught:
        share_of(TASK, data, 2, 9, 25)
    assert str(caught.value) == (
        "there are 48 own records beside the 12 held out for evaluation: a round needs 50: bring more, "
        "or lower genesis.round.test_records (25)"
    )


def test_metrics() -> None:
    labels = np.array([0] * 8 + [1] * 2, np.uint8)
    always_zero = np.zeros(10, np.uint8)
    assert measured("accuracy", labels, always_zero) == 0.8
    assert measured("balanced_accuracy", labels, always_zero) == 0.5
    assert measured("balanced_accuracy", labels, labels) == 1
    # A class that does not occur does not count; predictions of it are wrong.
    assert measured("balanced_accuracy", labels, labels + 2) == 0

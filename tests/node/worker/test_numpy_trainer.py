"""Training in NumPy. What it has in common with Keras is tested in test_learner.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from node.learning_task import LearningTask
from node.worker.learning.architectures import architecture_of
from node.worker.learning.datasets import load_dataset
from node.worker.learning.errors import DataError
from node.worker.learning.learner import TaskLearner
from node.worker.learning.numpy_trainer import NumpyTrainer
from node.worker.learning.training import cross_entropy
from node.worker.learning.weights import initial_weights
from tests.node.worker.tasks import DIGITS, NPZ, npz_arrays, task_of, write_npz


@pytest.fixture
def task() -> LearningTask:
    return task_of(NPZ)


def learner(task: LearningTask, folder: Path) -> TaskLearner:
    data = load_dataset(task, write_npz(folder, npz_arrays()))
    return TaskLearner(
        task, data, NumpyTrainer(architecture_of(task), task), index=0, miners=2, test_records=10
    )


def after(count: int) -> Callable[[], bool]:
    """Return a deadline that is over when it was asked for so often."""
    left = iter([False] * count)
    return lambda: next(left, True)


def test_the_gradient_is_that_of_the_loss(task: LearningTask) -> None:
    trainer = NumpyTrainer(architecture_of(task), task)
    weights = {
        name: tensor.astype(np.float64) for name, tensor in initial_weights(architecture_of(task), 3).items()
    }
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(16, 6)), rng.integers(3, size=16).astype(np.uint8)

    def loss() -> float:
        return cross_entropy(trainer._layers(weights, inputs)[-1], labels)[0]  # type: ignore[arg-type]

    gradients = trainer._gradients(weights, trainer._layers(weights, inputs), labels)  # type: ignore[arg-type]
    assert gradients.keys() == weights.keys()
    for name, tensor in weights.items():
        place = np.unravel_index(int(np.abs(gradients[name]).argmax()), tensor.shape)
        kept, step = tensor[place], 1e-5
        tensor[place] = kept + step
        above = loss()
        tensor[place] = kept - step
        below = loss()
        tensor[place] = kept
        assert gradients[name][place] == pytest.approx((above - below) / (2 * step), rel=1e-3), name


def test_it_learns_and_repeats_itself(task: LearningTask, tmp_path: Path) -> None:
    miner = learner(task, tmp_path)
    start = miner.initial_model()
    trained = miner.train(start, 1, after(10_000))
    assert miner.evaluate(trained.weights) > 0.8 > miner.evaluate(start) + 0.2
    assert trained.training_accuracy is not None
    assert trained.training_accuracy > 0.8
    assert miner.train(start, 1, after(10_000)) == trained
    assert miner.train(start, 2, after(10_000)) != trained


def test_the_deadline_stops_it_before_any_batch(task: LearningTask, tmp_path: Path) -> None:
    miner = learner(task, tmp_path)
    start = miner.initial_model()
    untouched = miner.train(start, 1, after(0))
    assert (untouched.weights, untouched.training_accuracy) == (start, None)
    assert miner.train(start, 1, after(1)).weights != start


def test_layers_that_it_does_not_have_are_refused() -> None:
    task = task_of(DIGITS)
    with pytest.raises(DataError, match="architecture digits-cnn has layer conv1"):
        NumpyTrainer(architecture_of(task), task)

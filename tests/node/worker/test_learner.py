"""The real learner: Keras on TensorFlow, on digits and on arrays of one's own."""

import os
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node.learning_task import LearningTask
from node.worker.learning.architectures import architecture_of
from node.worker.learning.datasets import Dataset, load_dataset
from node.worker.learning.errors import DataError
from node.worker.learning.keras_model import build_model
from node.worker.learning.learner import TaskLearner
from node.worker.learning.numpy_trainer import NumpyTrainer
from node.worker.learning.records import read_records
from node.worker.learning.trainer import PREDICT_BATCH, KerasTrainer
from node.worker.learning.weights import read_weights
from pallets.aggregation.fixed_point import fedavg, write_model
from pallets.offchain_protocols import InvalidRecords, InvalidWeights
from tests.node.worker.tasks import CIFAR10, DIGITS, NPZ, npz_arrays, task_of, write_npz

MINERS, WINNERS, R = 4, 2, 40


def npz_learner(folder: Path, index: int, **changes: Any) -> TaskLearner:
    """Return one of two miners of a small data set."""
    task = task_of(NPZ, **changes)
    data = load_dataset(task, write_npz(folder, npz_arrays()))
    trainer = KerasTrainer(architecture_of(task), task)
    return TaskLearner(task, data, trainer, index=index, miners=2, test_records=10)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def task() -> LearningTask:
    return task_of(DIGITS)


@pytest.fixture(scope="module")
def data(task: LearningTask) -> Dataset:
    return load_dataset(task, None)


@pytest.fixture(scope="module")
def trainer(task: LearningTask) -> KerasTrainer:
    return KerasTrainer(architecture_of(task), task)


@pytest.fixture(scope="module")
def miners(task: LearningTask, data: Dataset, trainer: KerasTrainer) -> list[TaskLearner]:
    return [
        TaskLearner(task, data, trainer, index=index, miners=MINERS, test_records=R)
        for index in range(MINERS)
    ]


@pytest.fixture(scope="module")
def npz(tmp_path_factory: pytest.TempPathFactory) -> TaskLearner:
    return npz_learner(tmp_path_factory.mktemp("npz"), 0, epochs=20, learning_rate="0.01")


def test_four_miners_learn_digits_in_three_rounds(miners: list[TaskLearner]) -> None:
    model = miners[0].initial_model()
    assert all(miner.initial_model() == model for miner in miners)
    accuracy = [miners[0].evaluate(model)]
    for round in (1, 2, 3):
        trained = [miner.train(model, round, never) for miner in miners]
        tests = [miner.test_set(round, R) for miner in miners]
        scores = [
            sum(
                np.count_nonzero(np.frombuffer(judge.predict(own.weights, records), np.uint8) == list(labels))
                for other, (judge, (records, labels)) in enumerate(zip(miners, tests, strict=True))
                if other != index
            )
            for index, own in enumerate(trained)
        ]
        best = sorted(range(MINERS), key=lambda index: -scores[index])[:WINNERS]
        model = fedavg([trained[index].weights for index in best])
        accuracy.append(miners[0].evaluate(model))
        assert all(
            0.6 < result.local_accuracy <= 1 and 1200 < result.sample_count < 1460 for result in trained
        )
    assert accuracy[0] < 0.3
    assert accuracy[3] > 0.9
    assert accuracy[3] > accuracy[1]


def test_training_again_gives_the_same_weights(miners: list[TaskLearner]) -> None:
    model = miners[1].initial_model()
    deadline = (n > 20 for n in count())
    first = miners[1].train(model, 7, lambda: next(deadline))
    # Other rounds and other miners leave nothing behind in the trainer they share.
    miners[2].train(first.weights, 8, never)
    deadline = (n > 20 for n in count())
    again = miners[1].train(model, 7, lambda: next(deadline))
    assert again == first
    deadline = (n > 20 for n in count())
    assert miners[1].train(model, 8, lambda: next(deadline)).weights != first.weights


def test_nothing_is_traced_again(miners: list[TaskLearner], trainer: KerasTrainer) -> None:
    miners[0].warm_up()
    model = miners[0].initial_model()
    for round in (1, 2):
        miners[round].train(model, round, lambda: True)
        miners[round].evaluate(model)
    assert trainer._step.experimental_get_tracing_count() == 1
    assert trainer._logits.experimental_get_tracing_count() == 1


def test_the_deadline_is_looked_at_before_every_batch(miners: list[TaskLearner]) -> None:
    model = miners[0].initial_model()
    asked = 0

    def deadline() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    result = miners[0].train(model, 1, deadline)
    assert asked == 6
    assert result.weights != model
    # At once: nothing is learnt, and the model is as it came.
    assert miners[0].train(model, 1, lambda: True).weights == model


def test_training_ends_when_the_chain_has_moved_on(
    task: LearningTask, data: Dataset, trainer: KerasTrainer
) -> None:
    asked: list[int] = []
    learner = TaskLearner(
        task,
        data,
        trainer,
        index=0,
        miners=MINERS,
        test_records=R,
        overtaken=lambda round: asked.append(round) or len(asked) > 3,
    )
    learner.train(learner.initial_model(), 9, never)
    assert asked == [9] * 4


def test_test_sets_never_repeat_until_the_share_is_used_up(
    miners: list[TaskLearner], task: LearningTask
) -> None:
    pictures, labels = miners[3].own_data()
    own = {picture.tobytes(): label for picture, label in zip(pictures, labels, strict=True)}
    seen: set[bytes] = set()
    rounds = len(pictures) // R
    assert rounds == 37
    for round in range(1, rounds + 1):
        records, given = miners[3].test_set(round, R)
        assert miners[3].test_set(round, R) == (records, given)
        drawn = [picture.tobytes() for picture in read_records(records, task, R)]
        assert [own[picture] for picture in drawn] == list(given)
        seen.update(drawn)
    assert len(seen) == rounds * R
    # Then the share is shuffled anew.
    assert miners[3].test_set(rounds + 1, R) != miners[3].test_set(1, R)


def test_the_round_is_not_trained_on_its_test_set(miners: list[TaskLearner], trainer: KerasTrainer) -> None:
    trained_on: set[bytes] = set()
    step = trainer._step

    def spy(inputs: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], labels: object) -> Any:
        trained_on.update(picture.tobytes() for picture in inputs)
        return step(inputs, labels)

    trainer._step = spy
    try:
        miners[0].train(miners[0].initial_model(), 5, never)
    finally:
        trainer._step = step
    records, _ = miners[0].test_set(5, R)
    tested = {picture.tobytes() for picture in read_records(records, task_of(DIGITS))}
    assert len(trained_on) > 1000
    assert not trained_on & tested


def test_predictions_do_not_depend_on_the_batch(miners: list[TaskLearner], data: Dataset) -> None:
    trainer, weights = miners[0]._trainer, read_weights(miners[0].initial_model(), miners[0]._architecture)
    many = data.x_test[: PREDICT_BATCH + 3]
    together = trainer.predict(weights, many)
    assert len(together) == len(many)
    assert [trainer.predict(weights, many[i : i + 1])[0] for i in range(len(many))] == together.tolist()


def test_what_others_send_is_refused(miners: list[TaskLearner]) -> None:
    records, _ = miners[0].test_set(1, R)
    model = miners[0].initial_model()
    with pytest.raises(InvalidRecords):
        miners[1].predict(model, model)
    with pytest.raises(InvalidWeights):
        miners[1].predict(records, records)
    with pytest.raises(InvalidWeights):
        miners[1].train(records, 1, never)
    with pytest.raises(InvalidWeights):
        miners[1].evaluate(b"")
    with pytest.raises(InvalidRecords):
        miners[1].check_records(records, R + 1)
    miners[1].check_records(records, R)


def test_npz_learns_and_stops_early(npz: TaskLearner) -> None:
    model = npz.initial_model()
    assert npz.share_size == 120
    result = npz.train(model, 1, never)
    assert npz.evaluate(result.weights) > 0.85
    records, labels = npz.test_set(1, 10)
    assert sum(map(int.__eq__, npz.predict(result.weights, records), labels)) >= 7


def test_weights_that_run_away_are_never_returned(tmp_path: Path) -> None:
    learner = npz_learner(tmp_path, 1, optimizer="sgd", learning_rate="9999", epochs=3)
    model = learner.initial_model()
    result = learner.train(model, 1, never)
    assert result.weights == model
    assert 0 <= result.local_accuracy <= 1


def test_patience_and_the_best_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = npz_learner(tmp_path, 0, epochs=50, early_stopping_patience=3)
    trainer, losses, after = learner._trainer, [5.0, 4.0, 4.5, 4.2, 4.1, 3.0], []

    def measure(samples: object) -> tuple[float, float]:
        after.append(write_model(trainer._get()))
        return losses[len(after) - 1], 1 / len(after)

    monkeypatch.setattr(trainer, "_measure", measure)
    result = learner.train(learner.initial_model(), 1, never)
    assert len(after) == 5  # the third epoch in a row without a lower loss is the last
    assert (result.weights, result.local_accuracy) == (after[1], 0.5)


def test_a_share_without_room_for_a_test_set_is_one_line(
    data: Dataset, trainer: KerasTrainer, task: LearningTask
) -> None:
    with pytest.raises(DataError, match="4 miners need at least") as caught:
        TaskLearner(task, data, trainer, index=0, miners=MINERS, test_records=800)
    assert "\n" not in str(caught.value)


def test_keras_has_the_parameters_of_the_architecture() -> None:
    architecture = architecture_of(task_of(CIFAR10))
    model = build_model(architecture)
    assert model.count_params() == architecture.parameters == 309_290
    assert model.output_shape == (None, 10)


@pytest.mark.skipif(
    "POCL_CIFAR10" not in os.environ, reason="POCL_CIFAR10 does not name a folder with CIFAR-10"
)
def test_the_papers_network_learns_cifar10_within_a_round() -> None:
    task = task_of(CIFAR10)
    data = load_dataset(task, Path(os.environ["POCL_CIFAR10"]))
    trainer = KerasTrainer(architecture_of(task), task)
    learner = TaskLearner(task, data, trainer, index=9, miners=10, test_records=50)
    assert learner.share_size == 8000  # 4/25 of 50,000
    batches = count(1)
    trained = learner.train(learner.initial_model(), 1, lambda: next(batches) > 120)
    # With Keras' own momentum of batch normalisation it would be near chance.
    assert learner.evaluate(trained.weights) > 0.25


def test_a_relabelled_learner_has_the_same_records_under_other_labels(npz: TaskLearner) -> None:
    inputs, labels = npz.own_data()
    other = npz.relabelled(np.zeros_like(labels))
    assert np.array_equal(other.own_data()[0], inputs)
    assert not other.own_data()[1].any()
    assert np.array_equal(npz.own_data()[1], labels)
    assert labels.any(), "the learner itself is as it was"
    model = other.train(npz.initial_model(), 1, never).weights
    assert other.predict(model, npz.test_set(1, 10)[0]) == bytes(10), "it has learnt the other labels"


# numpy


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_numpy_trains_what_keras_trains(tmp_path: Path, optimizer: str) -> None:
    """The same batches in the same order: only the last digits differ."""
    task = task_of(NPZ, optimizer=optimizer, learning_rate="0.01", epochs=3)
    data = load_dataset(task, write_npz(tmp_path, npz_arrays()))
    architecture = architecture_of(task)
    keras, numpy = (
        TaskLearner(task, data, trainer, index=0, miners=2, test_records=10)
        for trainer in (KerasTrainer(architecture, task), NumpyTrainer(architecture, task))
    )
    start = keras.initial_model()
    expected, given = keras.train(start, 1, never), numpy.train(start, 1, never)
    assert given.sample_count == expected.sample_count
    assert given.local_accuracy == pytest.approx(expected.local_accuracy, abs=0.05)
    assert given.training_accuracy == pytest.approx(expected.training_accuracy, abs=0.01)
    moved = 0.0
    for name, tensor in read_weights(expected.weights, architecture).items():
        assert read_weights(given.weights, architecture)[name] == pytest.approx(tensor, abs=2e-4), name
        moved = max(moved, float(np.abs(tensor - read_weights(start, architecture)[name]).max()))
    assert moved > 0.05
    records, _ = keras.test_set(1, 10)
    assert keras.predict(given.weights, records) == numpy.predict(given.weights, records)

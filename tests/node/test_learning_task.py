"""The canonical bytes of a learning task. What each field may be is tested with the chain spec."""

import json

import pytest

from node import chain_spec
from node.errors import ChainSpecError
from node.learning_task import LearningTask, Partition, parse_task, task_bytes
from node.spec_files import built_in_names

LOCAL = dict(chain_spec.load("local").learning)


def test_the_task_of_local() -> None:
    assert parse_task(task_bytes(LOCAL)) == LearningTask(
        dataset="digits",
        input_shape=(16, 16, 1),
        input_dtype="uint8",
        classes=10,
        partition=Partition("iid", 0),
        architecture="digits-cnn",
        seed=0,
        batch_size=32,
        epochs=4,
        optimizer="adam",
        learning_rate=0.003,
        early_stopping_patience=2,
        evaluation_records=0,
    )


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_tasks_parse(name: str) -> None:
    spec = chain_spec.load(name)
    assert parse_task(task_bytes(spec.learning)).classes == spec.genesis.round.classes


def test_the_bytes_do_not_depend_on_the_order_of_fields() -> None:
    data = task_bytes(LOCAL)
    assert task_bytes(dict(reversed(LOCAL.items()))) == data
    assert data.startswith(b'{"architecture":"digits-cnn","batch_size":32,')


def test_decimals_become_numbers() -> None:
    task = parse_task(task_bytes(LOCAL | {"partition": {"kind": "dirichlet", "seed": 9, "alpha": "12.25"}}))
    assert task.partition == Partition("dirichlet", 9, 12.25)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (json.dumps(LOCAL).encode(), "is not in canonical JSON"),
        (task_bytes(LOCAL)[:-1] + b',"seed":0}', "is not in canonical JSON"),
        (b"[]", " is []: it must be a JSON object"),
        (b'{"a":NaN}', "dataset is missing"),
        (task_bytes(LOCAL | {"epochs": 0}), "epochs is 0: it must be a whole number from 1"),
    ],
)
def test_what_is_not_a_task_is_refused_in_one_line(data: bytes, problem: str) -> None:
    with pytest.raises(ChainSpecError) as caught:
        parse_task(data)
    line = str(caught.value)
    assert line.startswith("the chain's learning task")
    assert problem in line
    assert "\n" not in line
    assert len(line) < 300

"""What the records of a task are: own data and its columns, and each field that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from node import chain_spec
from node.errors import ChainSpecError
from node.learning_task import LearningTask, parse_task, task_bytes
from node.task_inputs import (
    CategoryColumn,
    CifarFormat,
    ImagesFormat,
    NpzFormat,
    NumberColumn,
    TableFormat,
)
from tests.node.worker.own.common import AGE, ARRAYS, CIFAR, GRADE, IMAGES, SEX, TABLE


def parsed(fields: dict[str, Any]) -> LearningTask:
    return parse_task(task_bytes(fields))


def refusal(fields: dict[str, Any]) -> str:
    with pytest.raises(ChainSpecError) as caught:
        parsed(fields)
    line = str(caught.value)
    start = "the chain's learning task: "
    assert line.startswith(start)
    assert "\n" not in line
    return line.removeprefix(start)


def test_a_table() -> None:
    task = parsed(TABLE | {"columns": [AGE | {"missing": "40.5"}, SEX | {"missing": "other"}, GRADE]})
    assert task.format == TableFormat(
        "state",
        (
            NumberColumn("age", 50.0, 10.0, 0.0, 120.0, 40.5),
            CategoryColumn("sex", ("female", "male", "other"), "one-hot", "other"),
            CategoryColumn("grade", ("low", "middle", "high"), "ordinal", None),
        ),
    )
    assert (task.input_shape, task.input_dtype, task.classes) == ((5,), "float32", 2)
    assert task.class_names == ("ill", "well")
    assert task.partition is None


def test_the_other_formats() -> None:
    images, arrays, cifar = parsed(IMAGES), parsed(ARRAYS), parsed(CIFAR)
    assert images.format == ImagesFormat("none")
    assert (images.input_shape, images.input_dtype, images.classes) == ((8, 6, 3), "uint8", 2)
    assert arrays.format == NpzFormat()
    assert (arrays.input_shape, arrays.classes, arrays.class_names) == ((2, 3), 3, ())
    assert cifar.format == CifarFormat()
    assert (cifar.input_shape, cifar.input_dtype, cifar.classes) == ((32, 32, 3), "uint8", 4)
    assert parsed(CIFAR | {"architecture": "paper-cnn", "metric": "balanced_accuracy"}).metric == (
        "balanced_accuracy"
    )


def test_names_of_classes_may_go_with_their_number() -> None:
    assert parsed(ARRAYS | {"class_names": ["a", "b", "c"]}).class_names == ("a", "b", "c")
    line = refusal(ARRAYS | {"class_names": ["a", "b"]})
    assert line == "classes is 3 but there are 2 class_names: make them equal"


def column(**changes: Any) -> dict[str, Any]:
    """Return a change of the table's first column."""
    changed = {name: value for name, value in (AGE | changes).items() if value is not None}
    return {"columns": [changed, SEX, GRADE]}


def category(**changes: Any) -> dict[str, Any]:
    return {"columns": [SEX | changes]}


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (TABLE, {"format": "xlsx"}, "format is \"xlsx\": it must be 'npz' or 'cifar10' or 'images' or 'table'"),
    (TABLE, {"format": None}, "format is null: it must be "),
    (TABLE, {"metric": "f1"}, "metric is \"f1\": it must be 'accuracy' or 'balanced_accuracy'"),
    (TABLE, {"partition": {"kind": "iid", "seed": 0}}, "partition is not a field of a chain spec: remove it"),
    (TABLE, {"input_shape": [5]}, "input_shape is not a field of a chain spec: remove it"),
    (TABLE, {"resize": "none"}, "resize is not a field of a chain spec: remove it"),
    (TABLE, {"architecture": "paper-cnn"}, 'architecture is "paper-cnn" but a record\'s shape is [5]'),
    (TABLE, {"class_names": ["ill"]}, "class_names are 1: there must be 2 to "),
    (TABLE, {"class_names": ["ill", " well"]}, 'class_names[1] is " well": it must be a string of 1 to 128'),
    (TABLE, {"class_names": ["ill", "ill"]}, 'class_names[1] is "ill", which is listed already'),
    (TABLE, {"class_names": ["ill", 1]}, "class_names[1] is 1: it must be a string of"),
    (TABLE, {"label": ""}, 'label is "": it must be a string of 1 to 128 characters'),
    (TABLE, {"label": "age"}, 'columns[0].name is "age", as is the label'),
    (TABLE, {"columns": []}, "columns are 0: there must be 1 to 4096"),
    (TABLE, {"columns": [AGE] * 2}, 'columns[1].name is "age", as is columns[0]'),
    (TABLE, {"columns": ["age"]}, 'columns[0] is "age": it must be a JSON object'),
    (TABLE, column(unit="years"), "columns[0].unit is not a field of a chain spec: remove it"),
    (TABLE, column(mean=None), "columns[0].mean is missing"),
    (TABLE, column(mean=50), 'columns[0].mean is 50: it must be a decimal string, such as "-1.5"'),
    (TABLE, column(mean="5e1"), 'columns[0].mean is "5e1": it must be a decimal string'),
    (TABLE, column(deviation="0.0"), 'columns[0].deviation is "0.0": it must be above 0'),
    (TABLE, column(deviation="-1"), 'columns[0].deviation is "-1": it must be above 0'),
    (TABLE, column(deviation="0.001"), 'columns[0].deviation is "0.001": 0 would be more than 32768 dev'),
    (TABLE, column(range=["0"]), 'columns[0].range is ["0"]: it must be [lowest, highest], such as'),
    (TABLE, column(range=["0", 120]), "columns[0].range[1] is 120: it must be a decimal string"),
    (TABLE, column(range=["9", "1"]), 'columns[0].range is ["9", "1"]: the lowest value comes first'),
    (TABLE, column(missing="121"), 'columns[0].missing is "121" but range is ["0", "120"]: it must be in it'),
    (TABLE, category(categories=["only"]), "columns[0].categories are 1: there must be 2 to 1024"),
    (TABLE, category(categories=["a", "a"]), 'columns[0].categories[1] is "a", which is listed already'),
    (TABLE, category(coding="hash"), "columns[0].coding is \"hash\": it must be 'one-hot' or 'ordinal'"),
    (TABLE, category(missing="none"), "columns[0].missing is \"none\": it must be 'female' or 'male' or"),
    (TABLE, category(mean="1"), "columns[0].mean is not a field of a chain spec: remove it"),
    (
        IMAGES,
        {"input_shape": [8, 6]},
        "input_shape is [8, 6]: images are [height, width, channels] with 1 or",
    ),
    (IMAGES, {"input_shape": [8, 6, 4]}, "input_shape is [8, 6, 4]: images are [height, width, channels]"),
    (IMAGES, {"resize": "fit"}, "resize is \"fit\": it must be 'none' or 'stretch' or 'crop'"),
    (IMAGES, {"class_names": ["a/b", "c"]}, 'class_names[0] is "a/b": the name of a folder has no slash'),
    (IMAGES, {"class_names": ["a", ".."]}, 'class_names[1] is "..": the name of a folder has no slash'),
    (IMAGES, {"input_dtype": "uint8"}, "input_dtype is not a field of a chain spec: remove it"),
    (CIFAR, {"input_shape": [32, 32, 3]}, "input_shape is not a field of a chain spec: remove it"),
    (CIFAR, {"classes": 1}, "classes is 1: it must be a whole number from 2 to "),
]


@pytest.mark.parametrize(("fields", "changes", "start"), BAD)
def test_what_no_task_may_say(fields: dict[str, Any], changes: dict[str, Any], start: str) -> None:
    assert refusal(fields | changes).startswith(start)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (TABLE, "label"),
        (TABLE, "columns"),
        (TABLE, "format"),
        (IMAGES, "resize"),
        (IMAGES, "class_names"),
        (IMAGES, "input_shape"),
        (ARRAYS, "input_dtype"),
        (CIFAR, "classes"),
    ],
)
def test_what_a_task_must_say(fields: dict[str, Any], name: str) -> None:
    line = refusal({key: value for key, value in fields.items() if key != name})
    assert line.startswith(f"{name} is missing")


def test_the_example_standardises_with_the_whole_table() -> None:
    from node.worker.learning.datasets import breast_cancer

    task = parsed(dict(chain_spec.load("tabular-own").learning))
    assert isinstance(task.format, TableFormat)
    values, _, names = breast_cancer()
    columns = [column for column in task.format.columns if isinstance(column, NumberColumn)]
    assert [column.name for column in columns] == names
    for column, own in zip(columns, values.T, strict=True):
        assert abs(column.mean - own.mean()) < 1e-3 * own.mean()
        assert abs(column.deviation - own.std()) < 1e-3 * own.std()

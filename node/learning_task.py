"""The learning task: what all miners of a chain train, on which data, dealt how, with which settings.

It is the `learning` section of the chain spec. Its canonical bytes are part of the genesis state (item
`model_propose.Task`), so every worker reads it from the chain and none can train something else by mistake.
Numbers that are not whole (learning rate, alpha) are decimal strings: the canonical bytes hold no floats.

    dataset         a shared data set, the same at every miner: digits | noisy-digits | breast-cancer | cifar10 |
                    npz; or own: each miner has data of its own and trains on all of it
    partition       how a shared data set is dealt: iid | decreasing | grouped | dirichlet (with alpha) | parts
                    (with parts: how many each miner gets), and a seed; own data has none
    what a record is: npz and own say it themselves (node/task_inputs.py)
    metric          of the evaluation of a new global model: accuracy (also when the field is left out) or
                    balanced_accuracy. Votes count right labels, whatever it is
    architecture    digits-cnn | paper-cnn | mlp (node/worker/learning/architectures.py)
    seed            of the initial model, of the data set's making and of each miner's training
    batch_size, epochs, optimizer (adam | sgd), learning_rate, early_stopping_patience
    evaluation_records   of the test part, on which a new global model is measured; 0 takes all. Own data: how
                    many of its records a miner holds out for that, at most a fifth of them; 0 takes a fifth
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.errors import ChainSpecError
from node.json_fields import Fields, shown
from node.task_inputs import Format, read_inputs

OWN = "own"
DATASETS = ("digits", "noisy-digits", "breast-cancer", "cifar10", "npz", OWN)
PARTITIONS = ("iid", "decreasing", "grouped", "dirichlet", "parts")
ARCHITECTURES = ("digits-cnn", "paper-cnn", "mlp")
OPTIMIZERS = ("adam", "sgd")
METRICS = ("accuracy", "balanced_accuracy")

MIN_IMAGE_SIDE = 8
"""Both convolutional networks halve an image up to three times."""

_MAX_SEED = 2**53 - 1  # what every JSON reader keeps exactly
_MAX_PART = 1_000_000
_MAX_PARTS = 256
_DECIMAL = r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,9})?"
_SOURCE = "the chain's learning task"


@dataclass(frozen=True)
class Partition:
    """How a shared data set is dealt to the miners. `alpha` is given for dirichlet alone, `parts` for parts."""

    kind: str
    seed: int
    alpha: float | None = None
    parts: tuple[int, ...] | None = None


@dataclass(frozen=True)
class LearningTask:
    """One task, checked. `input_shape` is that of one record, without the batch.

    `partition` is None and `format` is given where each miner has data of its own. `class_names` is empty where
    classes have numbers alone.
    """

    dataset: str
    input_shape: tuple[int, ...]
    input_dtype: str
    classes: int
    partition: Partition | None
    architecture: str
    seed: int
    batch_size: int
    epochs: int
    optimizer: str
    learning_rate: float
    early_stopping_patience: int
    evaluation_records: int
    metric: str = "accuracy"
    class_names: tuple[str, ...] = ()
    format: Format | None = None


def read_task(fields: Fields) -> LearningTask:
    """Return the task that a JSON object holds. Raise ChainSpecError for anything malformed in it."""
    dataset = fields.choice("dataset", DATASETS)
    inputs = read_inputs(fields, dataset)
    task = LearningTask(
        dataset=dataset,
        input_shape=inputs.shape,
        input_dtype=inputs.dtype,
        classes=inputs.classes,
        partition=None if dataset == OWN else _partition(fields.section("partition")),
        architecture=_architecture(fields, inputs.shape),
        seed=fields.integer("seed", 0, _MAX_SEED),
        batch_size=fields.integer("batch_size", 1, 65_536),
        epochs=fields.integer("epochs", 1, 10_000),
        optimizer=fields.choice("optimizer", OPTIMIZERS),
        learning_rate=_decimal(fields, "learning_rate"),
        early_stopping_patience=fields.integer("early_stopping_patience", 1, 10_000),
        evaluation_records=fields.integer("evaluation_records", 0, 10_000_000),
        metric=fields.choice("metric", METRICS) if fields.given("metric") else METRICS[0],
        class_names=inputs.class_names,
        format=inputs.format,
    )
    fields.done()
    return task


def task_bytes(task: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON of a `learning` section: ASCII, names sorted, no spaces."""
    return json.dumps(task, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def parse_task(data: bytes) -> LearningTask:
    """Return the task of canonical bytes. Raise ChainSpecError when they are not those of a task."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ChainSpecError(f"{_SOURCE} is not JSON: {shown(repr(data[:40]))}") from None
    if not isinstance(value, dict):
        raise ChainSpecError(f"{_SOURCE} is {shown(value)}: it must be a JSON object")
    if task_bytes(value) != data:
        raise ChainSpecError(f"{_SOURCE} is not in canonical JSON: names sorted, no spaces, none given twice")
    return read_task(Fields(_SOURCE, "", value))


def _partition(fields: Fields) -> Partition:
    kind = fields.choice("kind", PARTITIONS)
    seed = fields.integer("seed", 0, _MAX_SEED)
    alpha = _decimal(fields, "alpha") if kind == "dirichlet" else None
    parts = _parts(fields) if kind == "parts" else None
    fields.done()
    return Partition(kind, seed, alpha, parts)


def _parts(fields: Fields) -> tuple[int, ...]:
    parts = fields.items("parts")
    for index, part in enumerate(parts):
        if not isinstance(part, int) or isinstance(part, bool) or not 1 <= part <= _MAX_PART:
            raise fields.error(
                f"parts[{index}]", f"is {shown(part)}: it must be a whole number from 1 to {_MAX_PART}"
            )
    if not 1 <= len(parts) <= _MAX_PARTS:
        raise fields.error("parts", f"has {len(parts)} entries: it must have 1 to {_MAX_PARTS}, one a miner")
    return tuple(parts)


def _architecture(fields: Fields, shape: tuple[int, ...]) -> str:
    name = fields.choice("architecture", ARCHITECTURES)
    if name != "mlp" and (len(shape) != 3 or min(shape[:2]) < MIN_IMAGE_SIDE):
        raise fields.error(
            "architecture",
            f"is {shown(name)} but a record's shape is {list(shape)}: it needs images [height, width, "
            f"channels] of at least {MIN_IMAGE_SIDE} by {MIN_IMAGE_SIDE} (mlp takes any shape)",
        )
    return name


def _decimal(fields: Fields, name: str) -> float:
    value = fields.take(name)
    if not isinstance(value, str) or not re.fullmatch(_DECIMAL, value) or float(value) == 0:
        raise fields.error(
            name, f'is {shown(value)}: it must be a number above 0 as a decimal string, such as "0.001"'
        )
    return float(value)

"""What a record of a learning task is: its shape, type and classes, and how own data is read into records.

Data sets that come by name (digits, noisy-digits, breast-cancer, cifar10) have all of it. The others say it in the
`learning` section, so that every miner makes the same records of what it has:

    npz                  input_shape, input_dtype (uint8 | float32), classes
    own, format npz      the same
    own, format cifar10  classes; records are those of the binary CIFAR-10
    own, format images   input_shape [height, width, 1 or 3 channels], resize (none | stretch | crop), class_names
    own, format table    label, columns, and class_names, or classes for labels 0, 1, ...

`class_names` lists the classes in the order of their numbers: a folder's or a label's name is the same class
everywhere. It may also go with npz and cifar10, to be shown.

A table's columns are in the order in which they make up a record:

    {"name": "age", "mean": "48.5", "deviation": "12", "range": ["0", "120"], "missing": "48.5"}
    {"name": "grade", "categories": ["low", "high"], "coding": "one-hot", "missing": "low"}

A number becomes (value - mean) / deviation. Both come from the spec and never from a miner's own data: a model must
see the same units everywhere, or averages of models would mean nothing. `range` (both ends allowed) is optional. A
category becomes one 0 or 1 each (one-hot), or its place in the list from 0 to 1 (ordinal). `missing` is what a missing
value counts as; without it a missing value is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from node.json_fields import Fields, shown
from pallets.round.config import MAX_CLASSES

INPUT_DTYPES = ("uint8", "float32")
FORMATS = ("npz", "cifar10", "images", "table")
RESIZES = ("none", "stretch", "crop")
CODINGS = ("one-hot", "ordinal")

INPUT_BOUND = 2.0**15
"""Largest absolute value of a float32 input."""

MAX_COLUMNS = 4096
MAX_CATEGORIES = 1024

_MAX_INPUTS = 2**24
_NUMBER = r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?"
_NAME = r"\S(.{0,126}\S)?"
_NAME_HINT = "1 to 128 characters without spaces around it"


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers; `low` and `high` bound them, `missing` is in their unit, as they are."""

    name: str
    mean: float
    deviation: float
    low: float | None
    high: float | None
    missing: float | None

    @property
    def width(self) -> int:
        """Numbers of a record that the column makes."""
        return 1


@dataclass(frozen=True)
class CategoryColumn:
    """A column of names out of a list; `missing` is one of them."""

    name: str
    categories: tuple[str, ...]
    coding: str
    missing: str | None

    @property
    def width(self) -> int:
        """Numbers of a record that the column makes."""
        return len(self.categories) if self.coding == "one-hot" else 1


Column = NumberColumn | CategoryColumn


@dataclass(frozen=True)
class NpzFormat:
    """Arrays x and y in *.npz."""

    name: ClassVar[str] = "npz"


@dataclass(frozen=True)
class CifarFormat:
    """Records of 1 label byte and 3072 bytes in *.bin."""

    name: ClassVar[str] = "cifar10"


@dataclass(frozen=True)
class ImagesFormat:
    """A folder of pictures for each class."""

    name: ClassVar[str] = "images"
    resize: str


@dataclass(frozen=True)
class TableFormat:
    """Rows of *.csv and *.parquet."""

    name: ClassVar[str] = "table"
    label: str
    columns: tuple[Column, ...]


Format = NpzFormat | CifarFormat | ImagesFormat | TableFormat


@dataclass(frozen=True)
class TaskInputs:
    """What a record is. `format` is how own data is read, None for a shared data set."""

    shape: tuple[int, ...]
    dtype: str
    classes: int
    class_names: tuple[str, ...]
    format: Format | None = None


_CIFAR_SHAPE = (32, 32, 3)
_CIFAR_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BY_NAME = {
    "digits": TaskInputs((16, 16, 1), "uint8", 10, ()),
    "noisy-digits": TaskInputs((8, 8, 1), "uint8", 10, ()),
    "breast-cancer": TaskInputs((30,), "float32", 2, ("malignant", "benign")),
    "cifar10": TaskInputs(_CIFAR_SHAPE, "uint8", 10, _CIFAR_NAMES),
}


def read_inputs(fields: Fields, dataset: str) -> TaskInputs:
    """Return what the fields of a task say of its records. Raise ChainSpecError."""
    if dataset in _BY_NAME:
        return _BY_NAME[dataset]
    format = fields.choice("format", FORMATS) if dataset == "own" else "npz"
    if format == "images":
        return _images(fields)
    if format == "table":
        return _table(fields)
    if format == "cifar10":
        return TaskInputs(_CIFAR_SHAPE, "uint8", *_classes(fields), CifarFormat())
    shape = _shape(fields)
    dtype = fields.choice("input_dtype", INPUT_DTYPES)
    return TaskInputs(shape, dtype, *_classes(fields), NpzFormat() if dataset == "own" else None)


def _shape(fields: Fields) -> tuple[int, ...]:
    shape = fields.items("input_shape")
    for index, side in enumerate(shape):
        if not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= 65_536:
            raise fields.error(
                f"input_shape[{index}]", f"is {shown(side)}: it must be a whole number from 1 to 65536"
            )
    if not 1 <= len(shape) <= 4 or prod(shape) > _MAX_INPUTS:
        raise fields.error(
            "input_shape",
            f"is {shown(shape)}: it must be 1 to 4 lengths with a product of at most {_MAX_INPUTS}",
        )
    return tuple(shape)


def _classes(fields: Fields) -> tuple[int, tuple[str, ...]]:
    """Return the number of classes and their names, () when they have none. One of both must be given."""
    if not fields.given("class_names"):
        # 255 marks "no prediction" on the chain, so 254 is the last label.
        return fields.integer("classes", 2, MAX_CLASSES), ()
    names = _names(fields, "class_names", 2, MAX_CLASSES)
    if fields.given("classes") and fields.integer("classes", 2, MAX_CLASSES) != len(names):
        raise fields.error(
            "classes",
            f"is {fields.values['classes']} but there are {len(names)} class_names: make them equal",
        )
    return len(names), names


def _images(fields: Fields) -> TaskInputs:
    shape = _shape(fields)
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise fields.error(
            "input_shape", f"is {shown(shape)}: images are [height, width, channels] with 1 or 3 channels"
        )
    if not fields.given("class_names"):
        raise fields.error("class_names", "is missing: they are the names of the folders")
    classes, names = _classes(fields)
    for index, name in enumerate(names):
        if "/" in name or "\\" in name or name.startswith("."):
            raise fields.error(
                f"class_names[{index}]",
                f"is {shown(name)}: the name of a folder has no slash and starts with no dot",
            )
    return TaskInputs(shape, "uint8", classes, names, ImagesFormat(fields.choice("resize", RESIZES)))


def _table(fields: Fields) -> TaskInputs:
    classes, names = _classes(fields)
    label = fields.text("label", _NAME, _NAME_HINT)
    listed = fields.items("columns")
    if not 1 <= len(listed) <= MAX_COLUMNS:
        raise fields.error("columns", f"are {len(listed)}: there must be 1 to {MAX_COLUMNS}")
    place = f"{fields.path}.columns" if fields.path else "columns"
    columns = tuple(
        _column(Fields(fields.source, f"{place}[{index}]", value)) for index, value in enumerate(listed)
    )
    taken = {label: "the label"}
    for index, column in enumerate(columns):
        if column.name in taken:
            raise fields.error(
                f"columns[{index}].name", f"is {shown(column.name)}, as is {taken[column.name]}"
            )
        taken[column.name] = f"columns[{index}]"
    return TaskInputs(
        (sum(column.width for column in columns),), "float32", classes, names, TableFormat(label, columns)
    )


def _column(fields: Fields) -> Column:
    name = fields.text("name", _NAME, _NAME_HINT)
    column = _categories(fields, name) if fields.given("categories") else _numbers(fields, name)
    fields.done()
    return column


def _categories(fields: Fields, name: str) -> CategoryColumn:
    categories = _names(fields, "categories", 2, MAX_CATEGORIES)
    coding = fields.choice("coding", CODINGS)
    missing = fields.choice("missing", categories) if fields.given("missing") else None
    return CategoryColumn(name, categories, coding, missing)


def _numbers(fields: Fields, name: str) -> NumberColumn:
    mean = _number(fields, "mean", fields.take("mean"))
    deviation = _number(fields, "deviation", fields.take("deviation"))
    if deviation <= 0:
        raise fields.error(
            "deviation",
            f"is {shown(fields.values['deviation'])}: it must be above 0 (values are divided by it)",
        )
    low = high = missing = None
    if fields.given("range"):
        ends = fields.items("range")
        if len(ends) != 2:
            raise fields.error(
                "range", f'is {shown(ends)}: it must be [lowest, highest], such as ["0", "120"]'
            )
        low, high = (_number(fields, f"range[{index}]", end) for index, end in enumerate(ends))
        if low > high:
            raise fields.error("range", f"is {shown(ends)}: the lowest value comes first")
    if fields.given("missing"):
        missing = _number(fields, "missing", fields.take("missing"))
        if low is not None and high is not None and not low <= missing <= high:
            raise fields.error(
                "missing",
                f"is {shown(fields.values['missing'])} but range is {shown(fields.values['range'])}: it must be in it",
            )
    for value in (low, high, missing):
        if value is not None and abs(value - mean) > INPUT_BOUND * deviation:
            raise fields.error(
                "deviation",
                f"is {shown(fields.values['deviation'])}: {value:g} would be more than {INPUT_BOUND:.0f} deviations "
                "away from the mean",
            )
    return NumberColumn(name, mean, deviation, low, high, missing)


def _number(fields: Fields, name: str, value: object) -> float:
    if not isinstance(value, str) or not re.fullmatch(_NUMBER, value):
        raise fields.error(name, f'is {shown(value)}: it must be a decimal string, such as "-1.5"')
    return float(value)


def _names(fields: Fields, name: str, least: int, most: int) -> tuple[str, ...]:
    names = fields.items(name)
    if not least <= len(names) <= most:
        raise fields.error(name, f"are {len(names)}: there must be {least} to {most}")
    for index, given in enumerate(names):
        if not isinstance(given, str) or not re.fullmatch(_NAME, given):
            raise fields.error(f"{name}[{index}]", f"is {shown(given)}: it must be a string of {_NAME_HINT}")
        if given in names[:index]:
            raise fields.error(f"{name}[{index}]", f"is {shown(given)}, which is listed already")
    return tuple(names)

"""Own data as tables: *.csv (commas, UTF-8, a header) and *.parquet, with the columns that the spec names.

Columns may come in any order; those that the spec does not name are not even read into records. A value of a CSV file
is missing when it is empty or one of MISSING, unless the spec has a category of that name; a value of a Parquet
file also when it is null or NaN. Rows are counted as a spreadsheet does: row 1 of a CSV file is its header (empty lines
are not counted); of a Parquet file it is the first record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]

from node.json_fields import shown
from node.learning_task import LearningTask
from node.task_inputs import INPUT_BOUND, CategoryColumn, Column, NumberColumn, TableFormat
from node.worker.learning.errors import DataError
from node.worker.learning.npz_file import MAX_BYTES
from node.worker.learning.own.folder import OwnRecords, Room, data_files

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")

BLOCK_BYTES = 2**22
"""A CSV file is read in pieces of this size, and a row must fit in one."""

BATCH_ROWS = 2**14

_DECIMAL = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def read_tables(task: LearningTask, table: TableFormat, folder: Path) -> OwnRecords:
    """Return the records of all tables of a folder. Raise DataError."""
    files = data_files(folder, [".csv", ".parquet"])
    names = task.class_names or tuple(map(str, range(task.classes)))
    label = CategoryColumn(table.label, names, "ordinal", missing=None)
    wanted = [column.name for column in (label, *table.columns)]
    room, inputs, labels = Room(task), [], []
    filled: Counter[str] = Counter()
    ignored: dict[str, None] = {}
    for file in files:
        opened = _open_csv if file.suffix.lower() == ".csv" else _open_parquet
        try:
            for batch in opened(file, wanted, ignored):
                room.take(file, batch.rows.num_rows)
                labels.append(_places(batch, label, filled).astype(np.uint8))
                inputs.append(_inputs(batch, table.columns, filled))
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror or _first_line(error)}") from None
        except (pa.ArrowException, ValueError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: is not a table: {_first_line(error)}") from None
    if room.records == 0:
        raise DataError(f"{folder}: its {len(files)} tables have no rows")
    return OwnRecords(np.concatenate(inputs), np.concatenate(labels), len(files), tuple(ignored), filled)


@dataclass(frozen=True)
class _Batch:
    """Some rows of a file; `first` is the number of the first one."""

    file: Path
    first: int
    rows: pa.RecordBatch

    def column(self, name: str) -> pa.Array:
        return self.rows.column(self.rows.schema.get_field_index(name))

    def error(self, index: int, column: str, problem: str) -> DataError:
        """Return the error that says `problem` of a value of this batch."""
        return DataError(f"{self.file}: row {self.first + index}, column {shown(column)}: {problem}")


def _open_csv(file: Path, wanted: Sequence[str], ignored: dict[str, None]) -> Iterator[_Batch]:
    rows = _InvalidRows()
    parsing = pa.csv.ParseOptions(invalid_row_handler=rows)
    # One thread: the parser then knows the number of a row that it cannot read.
    reading = pa.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
    try:
        # What is wrong with other rows is said after what is wrong with the header.
        lenient = pa.csv.ParseOptions(invalid_row_handler=lambda row: "skip")
        with pa.csv.open_csv(file, reading, lenient) as reader:
            header = reader.schema.names
        _check_header(file, header, wanted, ignored)
        converting = pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=False,
        )
        first = 2
        with pa.csv.open_csv(file, reading, parsing, converting) as reader:
            for batch in reader:
                yield _Batch(file, first, batch)
                first += batch.num_rows
    except pa.ArrowInvalid as error:
        if rows.said:
            raise DataError(f"{file}: {rows.said}") from None
        if "straddling" in str(error):
            raise DataError(
                f"{file}: has a row of more than {BLOCK_BYTES} bytes, or a quotation mark that is not closed"
            ) from None
        if "Empty CSV" in str(error):
            raise DataError(f"{file}: has no rows: the first one must name the columns") from None
        raise


@dataclass
class _InvalidRows:
    """Notes the first row with another number of values than the header: pyarrow's own message shows the values."""

    said: str = field(default="")

    def __call__(self, row: pa.csv.InvalidRow) -> str:
        number = "a row" if row.number is None else f"row {row.number}"
        self.said = f"{number} has {row.actual_columns} values: the header has {row.expected_columns}"
        return "error"


def _open_parquet(file: Path, wanted: Sequence[str], ignored: dict[str, None]) -> Iterator[_Batch]:
    with pa.parquet.ParquetFile(file) as opened:
        _check_header(file, opened.schema_arrow.names, wanted, ignored)
        for group in range(opened.metadata.num_row_groups):
            size = opened.metadata.row_group(group).total_byte_size
            if size > MAX_BYTES:
                raise DataError(
                    f"{file}: row group {group} has {size} bytes when unpacked: it may be at most {MAX_BYTES}"
                )
        first = 1
        for batch in opened.iter_batches(BATCH_ROWS, columns=list(wanted)):
            yield _Batch(file, first, batch)
            first += batch.num_rows


def _check_header(file: Path, header: Sequence[str], wanted: Sequence[str], ignored: dict[str, None]) -> None:
    for name in wanted:
        if header.count(name) != 1:
            found = ", ".join(header)
            problem = "no column" if name not in header else "more than one column"
            raise DataError(
                f"{file}: has {problem} {shown(name)}: its columns are {shown(found)}, separated by commas"
                if file.suffix.lower() == ".csv"
                else f"{file}: has {problem} {shown(name)}: its columns are {shown(found)}"
            )
    ignored.update(dict.fromkeys(name for name in header if name not in wanted))


def _inputs(batch: _Batch, columns: Sequence[Column], filled: Counter[str]) -> npt.NDArray[np.float32]:
    """Return float32[rows, sum of the columns' widths]."""
    inputs = np.zeros((batch.rows.num_rows, sum(column.width for column in columns)), np.float32)
    place = 0
    for column in columns:
        part = inputs[:, place : place + column.width]
        place += column.width
        if isinstance(column, NumberColumn):
            part[:, 0] = _standardised(batch, column, filled)
        else:
            places = _places(batch, column, filled)
            if column.coding == "one-hot":
                part[np.arange(len(places)), places] = 1
            else:
                part[:, 0] = places / (len(column.categories) - 1)
    return inputs


def _places(batch: _Batch, column: CategoryColumn, filled: Counter[str]) -> npt.NDArray[np.int64]:
    """Return the place of each value in the list of categories."""
    texts = _texts(batch, column.name, "text, whole numbers or yes and no")
    places = pc.fill_null(pc.index_in(texts, pa.array(column.categories, pa.string())), -1)
    found: npt.NDArray[np.int64] = places.to_numpy(zero_copy_only=False).astype(np.int64)
    unknown = found < 0
    missing = unknown & _is_missing(texts)
    wrong = np.flatnonzero(unknown & ~missing)
    allowed = " or ".join(column.categories[:8]) + (
        " or another one of the spec" * (len(column.categories) > 8)
    )
    if len(wrong):
        value = texts[int(wrong[0])].as_py()
        raise batch.error(int(wrong[0]), column.name, f"is {shown(value)}: it must be {allowed}")
    if missing.any():
        if column.missing is None:
            raise batch.error(int(missing.argmax()), column.name, f"is missing: it must be {allowed}")
        found[missing] = column.categories.index(column.missing)
        filled[column.name] += int(missing.sum())
    return found


def _standardised(batch: _Batch, column: NumberColumn, filled: Counter[str]) -> npt.NDArray[np.float64]:
    """Return (value - mean) / deviation of each value."""
    values, missing = _numbers(batch, column.name)
    if missing.any():
        if column.missing is None:
            raise batch.error(
                int(missing.argmax()), column.name, "is missing: the task takes no missing values here"
            )
        values = np.where(missing, column.missing, values)
        filled[column.name] += int(missing.sum())
    if column.low is not None and column.high is not None:
        # So written that NaN is wrong; infinities are outside anyway.
        wrong = np.flatnonzero(~((values >= column.low) & (values <= column.high)))
        allowed = f"from {column.low:g} to {column.high:g}"
    else:
        span = INPUT_BOUND * column.deviation
        wrong = np.flatnonzero(~(np.abs(values - column.mean) <= span))
        allowed = f"within {INPUT_BOUND:.0f} deviations of the mean ({column.mean:g}, {column.deviation:g})"
    if len(wrong):
        value = float(values[wrong[0]])
        raise batch.error(int(wrong[0]), column.name, f"is {value:g}: it must be {allowed}")
    return (values - column.mean) / column.deviation


def _numbers(batch: _Batch, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return a column's values, float64, and which of them are missing."""
    column = _decoded(batch.column(name))
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = pc.utf8_trim_whitespace(pc.fill_null(column, ""))
        missing = _is_missing(texts)
        good = pc.match_substring_regex(texts, _DECIMAL).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(~good & ~missing)
        if len(wrong):
            value = texts[int(wrong[0])].as_py()
            raise batch.error(int(wrong[0]), name, f"is {shown(value)}: it must be a number")
        column = pc.if_else(pa.array(missing), pa.scalar("0", texts.type), texts)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        column = pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0)
    else:
        raise batch.error(0, name, f"is of type {kind}: it must be a number")
    values: npt.NDArray[np.float64] = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    return values, missing


def _texts(batch: _Batch, name: str, allowed: str) -> pa.Array:
    """Return a column as trimmed text, "" where there is none."""
    column = _decoded(batch.column(name))
    kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not text and not pa.types.is_integer(kind) and not pa.types.is_boolean(kind):
        raise batch.error(0, name, f"is of type {kind}: it must be {allowed}")
    return pc.utf8_trim_whitespace(pc.fill_null(pc.cast(column, pa.string()), ""))


def _decoded(column: pa.Array) -> pa.Array:
    """Return a column without the dictionary that Parquet may keep it in."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _is_missing(texts: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.is_in(texts, pa.array(MISSING, texts.type)).to_numpy(
        zero_copy_only=False
    )
    return found


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]

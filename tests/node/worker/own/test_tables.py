"""Own data as CSV and Parquet tables."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.worker.learning.errors import DataError
from node.worker.learning.own import folder as own_folder
from node.worker.learning.own import tables
from tests.node.worker.own.common import AGE, GRADE, SEX, TABLE, load, refusal

HEADER = "id,state,age,sex,grade\n"
GOOD = HEADER + "7,ill,60,male,high\n8,well,45.5,female,low\n"
FILLED = {"columns": [AGE | {"missing": "50"}, SEX | {"missing": "other"}, GRADE]}


def written(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def parquet(folder: Path, name: str = "a.parquet", **columns: Any) -> Path:
    good = {"state": ["ill", "well"], "age": [60, 45], "sex": ["male", "female"], "grade": ["high", "low"]}
    pa.parquet.write_table(pa.table(good | columns), folder / name)
    return folder


def test_rows_become_records(tmp_path: Path) -> None:
    records = load(TABLE, written(tmp_path, GOOD))
    assert records.inputs.dtype == np.float32
    assert records.inputs.tolist() == [[1, 0, 1, 0, 1], [np.float32(-0.45), 1, 0, 0, 0]]
    assert records.labels.tolist() == [0, 1]
    assert records.labels.dtype == np.uint8
    assert (records.files, records.ignored, dict(records.filled)) == (1, ("id",), {})


def test_files_are_read_by_name_and_columns_in_any_order(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "b.CSV")
    written(tmp_path, "grade,sex,age,state\nmiddle, male ,50,well\n", "a.csv")
    written(tmp_path, "nonsense", ".hidden.csv")
    written(tmp_path, "nonsense", "README.txt")
    parquet(tmp_path, "c.parquet")
    records = load(TABLE, tmp_path)
    assert records.inputs[0].tolist() == [0, 0, 1, 0, 0.5]
    assert records.labels.tolist() == [1, 0, 1, 0, 1]
    assert records.files == 3


def test_labels_without_names_are_numbers(tmp_path: Path) -> None:
    text = GOOD.replace("ill", "2").replace("well", "0")
    numbered = {name: value for name, value in TABLE.items() if name != "class_names"} | {"classes": 3}
    assert load(numbered, written(tmp_path, text)).labels.tolist() == [2, 0]
    line = refusal(numbered, written(tmp_path, text.replace("2,", "3,")))
    assert line.endswith('a.csv: row 2, column "state": is "3": it must be 0 or 1 or 2')


@pytest.mark.parametrize("value", tables.MISSING)
def test_missing_values_count_as_the_spec_says(tmp_path: Path, value: str) -> None:
    text = GOOD.replace("45.5", value).replace(",male", f",{value}")
    records = load(TABLE | FILLED, written(tmp_path, text))
    assert records.inputs.tolist() == [[1, 0, 0, 1, 1], [0, 1, 0, 0, 0]]
    assert records.filled == {"age": 1, "sex": 1}


def test_a_category_may_be_called_as_a_missing_value_is(tmp_path: Path) -> None:
    columns = [AGE, SEX, GRADE | {"categories": ["NA", "high"]}]
    records = load(TABLE, written(tmp_path, GOOD.replace("low", "NA")), columns=columns)
    assert records.inputs[:, 4].tolist() == [1, 0]


BAD: list[tuple[str, str, str]] = [
    ("60,", "old,", 'row 2, column "age": is "old": it must be a number'),
    ("60,", "1 000,", 'row 2, column "age": is "1 000": it must be a number'),
    ("60,", "inf,", 'row 2, column "age": is "inf": it must be a number'),
    ("60,", "0x10,", 'row 2, column "age": is "0x10": it must be a number'),
    ("45.5,", "1e999,", 'row 3, column "age": is inf: it must be from 0 to 120'),
    ("45.5,", "-1,", 'row 3, column "age": is -1: it must be from 0 to 120'),
    ("45.5,", ",", 'row 3, column "age": is missing: the task takes no missing values here'),
    (",male", ",Male", 'row 2, column "sex": is "Male": it must be female or male or other'),
    (",male", ",", 'row 2, column "sex": is missing: it must be female or male or other'),
    (",ill", ",sick", 'row 2, column "state": is "sick": it must be ill or well'),
    (",well", ",", 'row 3, column "state": is missing: it must be ill or well'),
    (",low", "", "row 3 has 4 values: the header has 5"),
    (",low", ",low,9", "row 3 has 6 values: the header has 5"),
    ("grade", "Grade", 'has no column "grade": its columns are "id, state, age, sex, Grade", separated by'),
    (HEADER, HEADER.replace(",", ";"), 'has no column "state": its columns are "id;state;age;sex;grade"'),
    ("id,", "age,", 'has more than one column "age": its columns are "age, state, age, sex, grade"'),
    (",male", ",m\xe4le", 'row 2, column "sex": is "mäle": it must be female'),
]


@pytest.mark.parametrize(("old", "new", "problem"), BAD)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    written(tmp_path, GOOD.replace(old, new))
    assert refusal(TABLE, tmp_path).startswith(f"{tmp_path / 'a.csv'}: {problem}")


def test_rows_are_counted_over_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 200)
    row = "7,ill,60,male,high\n"
    written(tmp_path, HEADER + row * 50 + row.replace("60", "600") + row * 50)
    assert 'row 52, column "age": is 600' in refusal(TABLE, tmp_path)
    written(tmp_path, HEADER + row * 50 + "7,ill,60\n")
    assert "row 52 has 3 values" in refusal(TABLE, tmp_path)
    written(tmp_path, HEADER + row * 50 + "7,ill,60,male," + "x" * 300 + "\n")
    assert "a.csv: has a row of more than 200 bytes, or a quotation mark" in refusal(TABLE, tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no rows: the first one must name the columns"),
        (HEADER.encode() + b"7,\xff,60,male,high\n", "is not a table: "),
        (b"\x00\x01\x02\n", "has no column "),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    assert refusal(TABLE, written(tmp_path, content)).startswith(f"{tmp_path / 'a.csv'}: {problem}")


def test_there_must_be_rows(tmp_path: Path) -> None:
    assert refusal(TABLE, tmp_path) == f"{tmp_path}: has no file *.csv or *.parquet"
    assert refusal(TABLE, written(tmp_path, HEADER)) == f"{tmp_path}: its 1 tables have no rows"
    assert refusal(TABLE, None).startswith("this chain's data set does not come with the node: give --data")
    assert "No such file" in refusal(TABLE, tmp_path / "nowhere")


def test_too_much_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with written(tmp_path, GOOD, "big.csv").joinpath("big.csv").open("r+b") as file:
        file.truncate(10 * 2**30)  # sparse: it takes no room
    assert refusal(TABLE, tmp_path) == (
        f"{tmp_path / 'big.csv'}: with it the data has {10 * 2**30} bytes: it may be at most {8 * 2**30}"
    )
    written(tmp_path, GOOD, "big.csv")
    monkeypatch.setattr(own_folder, "MAX_BYTES", 41)
    assert "at most 1 of 21 bytes are read (41 bytes): take fewer files" in refusal(TABLE, tmp_path)


# Parquet


def test_parquet(tmp_path: Path) -> None:
    records = load(TABLE, parquet(tmp_path, other=[1.5, 2.5]))
    assert records.inputs.tolist() == [[1, 0, 1, 0, 1], [-0.5, 1, 0, 0, 0]]
    assert records.labels.tolist() == [0, 1]
    assert records.ignored == ("other",)


def test_types_of_parquet(tmp_path: Path) -> None:
    parquet(
        tmp_path,
        sex=pa.array(["male", None]).dictionary_encode(),
        age=pa.array([60.0, float("nan")]),
        grade=pa.array(["high", "low"], pa.large_string()),
    )
    records = load(TABLE | FILLED, tmp_path)
    assert records.inputs.tolist() == [[1, 0, 1, 0, 1], [0, 0, 0, 1, 0]]
    assert records.filled == {"age": 1, "sex": 1}
    # Truths and whole numbers are categories by their text.
    columns = [AGE, SEX | {"categories": ["true", "false"]}, GRADE | {"categories": ["1", "2"]}]
    parquet(tmp_path, sex=[True, False], grade=[2, 1], age=pa.array([60, 45], pa.decimal128(5, 1)))
    assert load(TABLE, tmp_path, columns=columns).inputs.tolist() == [[1, 1, 0, 1], [-0.5, 0, 1, 0]]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"age": [60, None]}, 'row 2, column "age": is missing: '),
        ({"age": [60, 121]}, 'row 2, column "age": is 121: it must be from 0 to 120'),
        ({"age": [True, False]}, 'row 1, column "age": is of type bool: it must be a number'),
        ({"age": [[1], [2]]}, 'row 1, column "age": is of type list<'),
        ({"age": ["60", "?!"]}, 'row 2, column "age": is "?!": it must be a number'),
        ({"sex": [1.5, 2.5]}, 'row 1, column "sex": is of type double: it must be text, whole numbers or'),
        ({"state": ["ill", None]}, 'row 2, column "state": is missing: it must be ill or well'),
    ],
)
def test_what_does_not_fit_in_parquet_is_named(tmp_path: Path, columns: Any, problem: str) -> None:
    parquet(tmp_path, **columns)
    assert refusal(TABLE, tmp_path).startswith(f"{tmp_path / 'a.parquet'}: {problem}")


def test_damaged_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(tmp_path).joinpath("a.parquet").read_bytes()
    for damaged in (b"", b"PAR1", data[:100], data[:-40] + bytes(40), b"\xff" * len(data)):
        written(tmp_path, damaged, "a.parquet")
        assert refusal(TABLE, tmp_path).startswith(f"{tmp_path / 'a.parquet'}: ")
    written(tmp_path, data, "a.parquet")
    monkeypatch.setattr(tables, "MAX_BYTES", 10)
    assert "row group 0 has" in refusal(TABLE, tmp_path)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ill", "well"]),
            st.floats(0, 120, width=32),
            st.sampled_from(SEX["categories"]),
            st.sampled_from(GRADE["categories"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_csv_and_parquet_give_the_same_records(rows: list[tuple[str, float, str, str]]) -> None:
    names = ("state", "age", "sex", "grade")
    with tempfile.TemporaryDirectory() as place:
        one, other = Path(place, "csv"), Path(place, "parquet")
        one.mkdir()
        other.mkdir()
        with (one / "a.csv").open("w", newline="") as file:
            csv.writer(file).writerows([names, *rows])
        columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
        parquet(other, **{name: list(values) for name, values in columns.items()})
        text, binary = load(TABLE, one), load(TABLE, other)
    assert np.array_equal(text.inputs, binary.inputs)
    assert np.array_equal(text.labels, binary.labels)
    ages = np.array([age for _, age, _, _ in rows])
    np.testing.assert_allclose(text.inputs[:, 0], (ages - 50) / 10, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: (HEADER + text).encode())))
def test_any_bytes_are_records_or_one_line(content: bytes) -> None:
    line = ""
    with tempfile.TemporaryDirectory() as place:
        written(Path(place), content)
        try:
            records = load(TABLE | FILLED, Path(place))
        except DataError as error:
            line = str(error)
        else:
            assert np.all(np.abs(records.inputs) <= 12)
    assert "\n" not in line

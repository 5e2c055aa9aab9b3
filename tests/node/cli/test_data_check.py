"""`pocl data check`: what it prints, how it ends, and the commands of docs/own-data.md."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node import chain_spec
from node.cli import run
from tests.node.worker.own.common import AGE, ARRAYS, GRADE, SEX, TABLE
from tests.test_docs import ROOT, commands

DOCUMENT = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")


def write_spec(folder: Path, learning: dict[str, Any], classes: int, test_records: int = 2) -> str:
    value = json.loads(chain_spec.load("local").to_json())
    value["learning"] = learning
    value["genesis"]["round"] |= {"classes": classes, "test_records": test_records}
    file = folder / "chain.json"
    file.write_text(json.dumps(value))
    return str(file)


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["data", "check", *words, "--json"]) == 0, capsys.readouterr().err
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["data", "check", *words]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.removeprefix("pocl: ").strip()


ROWS = [
    "state,age,sex,grade,id",
    *(f"{('ill', 'well')[i % 2]},{20 + i},{('male', 'female')[i % 3 == 0]},low,{i}" for i in range(20)),
    "ill,20,female,low,again",  # a duplicate
    "well,20,female,low,other",  # and a contradiction
    "ill,,male,high,99",
]


def table(folder: Path, rows: list[str]) -> tuple[str, ...]:
    """Write a spec and a table; return the words that name them."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    (data / "a.csv").write_text("\n".join(rows) + "\n")
    learning = TABLE | {"columns": [AGE | {"missing": "50"}, SEX, GRADE]}
    return ("--chain", write_spec(folder, learning, 2), "--data", str(data))


def test_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = table(tmp_path, ROWS)
    facts = checked(capsys, *words)
    columns, share = facts.pop("columns"), facts.pop("share")
    assert facts == {
        "chain": "pocl-local",
        "dataset": "own",
        "format": "table",
        "input": "float32[5]",
        "records": 23,
        "training": facts["training"],
        "evaluation": 23 - facts["training"],
        "classes": {"ill": 12, "well": 11},
        "values": {"lowest": -3, "highest": 1},
        "duplicates": 2,
        "contradictions": 1,
        "files": 1,
        "missing": {"age": 1},
        "ignored_columns": ["id"],
        "warnings": [
            "1 records stand there with more than one label",
            "column sex never is other",
            "column grade never is middle",
        ],
    }
    # Copies are on one side: the three equal records may make it more than a fifth.
    assert 4 <= facts["evaluation"] <= 6
    assert columns[0] == {
        "name": "age",
        "lowest": 20,
        "highest": 50,
        "mean": 29.5652,
        "deviations_off": -2.04,
    }
    assert columns[1] == {"name": "sex", "counts": {"female": 9, "male": 14, "other": 0}}
    assert columns[2] == {"name": "grade", "counts": {"low": 22, "middle": 0, "high": 1}}
    assert share["records"] == facts["training"] == sum(share["classes"].values())
    assert share["rounds_until_test_records_repeat"] == facts["training"] // 2

    assert run(["data", "check", *words]) == 0
    text = capsys.readouterr().out
    assert "\n  - name=age  lowest=20  highest=50  mean=29.5652  deviations_off=-2.04\n" in text
    assert "\nmissing\n  age  1\n" in text


def test_another_unit_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        "state,age,sex,grade",
        *(f"{state},{i % 9},other,middle" for i in range(20) for state in ("ill", "well")),
    ]
    warnings = checked(capsys, *table(tmp_path, rows))["warnings"]
    assert "column age has mean 3.65, 4.63 deviations from the spec's: is it in the spec's unit?" in warnings
    assert "31 of 40 records repeat others" in warnings


def test_what_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = table(tmp_path, [*ROWS, "ill,old,male,low,1"])
    assert refused(capsys, *words) == (
        f'{tmp_path}/data/a.csv: row 25, column "age": is "old": it must be a number'
    )
    assert refused(capsys, *words[:2]).startswith(
        "this chain's data set does not come with the node: give --data"
    )
    assert refused(capsys, *words[:2], "--data", words[1]).endswith(
        "--data is the folder of the data, and this is none"
    )
    assert refused(capsys, *words, "--index", "0").startswith("--index and --miners are for shared data sets")
    assert (
        refused(capsys, "--chain", "local", "--index", "4") == "--index is 4: of 4 miners it must be 0 to 3"
    )
    assert refused(capsys, "--chain", "nowhere").startswith("unknown chain 'nowhere'")
    assert run(["data", "check"]) == 2


def test_too_few_records_for_a_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(30, dtype=np.float32).reshape(5, 2, 3), y=np.arange(5) % 3)
    chain = write_spec(tmp_path, ARRAYS, 3, test_records=3)
    assert refused(capsys, "--chain", chain, "--data", str(tmp_path)) == (
        "there are 4 own records beside the 1 held out for evaluation: a round needs 6: bring more, "
        "or lower genesis.round.test_records (3)"
    )


def test_a_shared_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    facts = checked(capsys, "--chain", "tabular", "--index", "3")
    assert (facts["records"], facts["training"], facts["evaluation"]) == (569, 427, 142)
    assert facts["classes"] == {"malignant": 212, "benign": 357}
    assert facts["share"]["records"] == 107
    assert (facts["share"]["index"], facts["share"]["miners"]) == (3, 4)
    assert "files" not in facts
    assert "share" not in checked(capsys, "--chain", "tabular")
    assert checked(capsys, "--chain", "tabular", "--index", "0", "--miners", "2")["share"]["records"] == 213


def test_a_package_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = table(tmp_path, ROWS)
    monkeypatch.delitem(sys.modules, "node.worker.learning.own.tables", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refused(capsys, *words) == (
        "pyarrow is not installed: install the extra `worker` (pip install '.[node,worker]')"
    )


def test_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["own_data.py", "run/own-data"])
    runpy.run_path(str(ROOT / "examples" / "own_data.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run/own-data/alice/records.csv: 143 rows"
    checks = [words for words in commands(DOCUMENT) if words[:2] == ["data", "check"]]
    assert len(checks) == 3
    shown, refusal_shown = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)

    assert run(checks[0]) == 0
    printed = capsys.readouterr().out
    start, end = shown.split("  ...\n")
    assert printed.startswith(start)
    assert printed.endswith(end)
    assert run(checks[1]) == 0
    assert checks[2][2:4] == ["--chain", "pocl-cifar10"]  # which needs its files

    file = tmp_path / "run/own-data/alice/records.csv"
    rows = file.read_text().splitlines()
    values = rows[16].split(",")
    values[rows[0].split(",").index("mean radius")] = "12.5 mm"
    rows[16] = ",".join(values)
    file.write_text("\n".join(rows))
    capsys.readouterr()
    assert run(checks[0]) == 1
    assert capsys.readouterr().err == refusal_shown
    shutil.rmtree(tmp_path / "run")

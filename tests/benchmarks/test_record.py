"""What a run leaves behind: the record, the README's table, and an exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import record
from benchmarks.framework import LOWER, ROOT, Figure, Result, part_names, summary

FAST = summary(Figure("speed", "1/s", floor=10), [11.0, 12.0, 13.0])
SLOW = summary(Figure("delay", "ms", floor=10, better=LOWER), [12.5])
FREE = summary(Figure("bytes", ""), [1.0])


def result(*figures: dict[str, Any], disturbed: list[str] | None = None, hash_us: float = 1.0) -> Result:
    return Result(list(figures), ["a note"], disturbed or [], hash_us)


def test_the_readmes_figures_are_the_recorded_ones() -> None:
    recorded = json.loads(record.RESULTS.read_text())
    text = record.README.read_text()
    _, start, rest = text.partition(record.START)
    table, end, _ = rest.partition(record.END)
    assert start
    assert end
    assert table == record.readme_table(recorded)


def test_only_parts_that_exist_are_recorded() -> None:
    assert set(json.loads(record.RESULTS.read_text())["parts"]) <= set(part_names())


def test_every_part_is_in_the_documents_tables() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    measured, limits = text.partition("What limits each figure")[::2]
    for name in part_names():
        assert f"\n| `{name}` |" in measured, f"docs/benchmarks.md does not say what {name} measures"
        assert f"\n| `{name}`" in limits, f"docs/benchmarks.md does not say what limits {name}"


def test_the_readme_shows_floors_and_leaves_disturbed_parts_out(tmp_path: Path) -> None:
    readme, path = tmp_path / "README.md", tmp_path / "results.json"
    readme.write_text(f"before\n{record.START}old\n{record.END}after\n")
    parts = {
        "a": record.part_record("now", result(FAST, SLOW, FREE), 1.0),
        "b": record.part_record("now", result(FAST, disturbed=["by others"]), 1.0),
    }
    record.write(record.merged(record.read(path), parts, ["a", "b"], ["a", "b"]), path, readme)
    text = readme.read_text()
    assert text.startswith(f"before\n{record.START}")
    assert text.endswith(f"{record.END}after\n")
    assert "old" not in text
    assert "| a | speed | 12 1/s | at least 10 |" in text
    assert "| a | delay | 12.5 ms | at most 10, missed |" in text
    assert "bytes" not in text
    assert "| b |" not in text


def test_a_dear_hash_marks_a_part_as_disturbed() -> None:
    assert record.part_record("now", result(FAST, hash_us=1.2), 1.0)["disturbed"] == []
    assert record.part_record("now", result(FAST, hash_us=1.3), 1.0)["disturbed"]


def test_a_whole_run_makes_the_record_anew_and_a_part_replaces_its_own() -> None:
    before = {"parts": {"a": 1, "b": 1}}
    assert record.merged(before, {"a": 2}, ["a"], ["a", "b"])["parts"] == {"a": 2, "b": 1}
    # A part that failed leaves no figure of an older run in the table.
    assert record.merged(before, {"a": 2}, ["a", "b"], ["a", "b"])["parts"] == {"a": 2}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Result | Exception]:
    """Return what the parts shall give, instead of being run; nothing is recorded."""
    gives: dict[str, Result | Exception] = {}

    def run(name: str, scale: float, profile: bool) -> Result:
        given = gives[name]
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(program, "_in_process", run)
    monkeypatch.setattr(record, "write", lambda record: None)
    return gives


def test_a_part_that_fails_loses_no_other(
    runs: dict[str, Result | Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Any] = []
    monkeypatch.setattr(record, "write", written.append)
    runs |= {"tree": TimeoutError("too slow"), "reads": result(FAST)}
    assert program.main(["--only", "tree,reads"]) == 1
    assert written[0]["parts"]["reads"]["figures"] == [FAST]
    out, err = capsys.readouterr()
    assert "FAILED" in out
    assert "tree: FAILED: TimeoutError: too slow" in err


def test_a_missed_floor_fails_a_whole_run_unless_allowed(runs: dict[str, Result | Exception]) -> None:
    runs["reads"] = result(SLOW)
    assert program.main(["--only", "reads"]) == 1
    assert program.main(["--only", "reads", "--allow-missed"]) == 0
    # Floors are those of the whole workload.
    assert program.main(["--only", "reads", "--scale", "0.5"]) == 0
    runs["reads"] = result(FAST)
    assert program.main(["--only", "reads"]) == 0


def test_an_unknown_part_is_refused_before_any_runs(runs: dict[str, Result | Exception]) -> None:
    assert program.main(["--only", "reads,nothing"]) == 2

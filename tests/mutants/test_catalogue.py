"""The list of mutants fits the tree: a fault that cannot be planted any more would show nothing."""

from __future__ import annotations

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Edit, MutantError
from tests.mutants.run import ROOT, Outcome, judge


def test_every_text_to_be_replaced_is_there_once() -> None:
    for mutant in MUTANTS:
        assert all(edit.new != edit.old for edit in mutant.edits), mutant.name
        mutant.sources(ROOT)


def test_names_are_different_and_all_tests_exist() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names)
    faults = [mutant.edits for mutant in MUTANTS]
    assert len(set(faults)) == len(faults), "one fault under two names"
    for mutant in MUTANTS:
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            assert (ROOT / test).is_file(), f"{mutant.name}: {test}"


def test_a_text_that_is_gone_or_there_twice_is_refused() -> None:
    edit = Edit("a.py", "if x:", "if True:")
    assert edit.applied("if x: y") == "if True: y"
    for text in ("if z: y", "if x: y\nif x: z"):
        with pytest.raises(MutantError, match=r"a\.py: this text must occur once"):
            edit.applied(text)


@pytest.mark.parametrize(
    ("status", "output", "outcome", "test"),
    [
        (0, "3 passed in 0.1s", Outcome.ALIVE, ""),
        (1, "FAILED tests/a.py::test_b[c] - assert 1 == 2\n1 failed", Outcome.CAUGHT, "a.py::test_b[c]"),
        (
            1,
            "FAILED tests/a.py::test_b[it is 2] - assert 1\n1 failed",
            Outcome.CAUGHT,
            "a.py::test_b[it is 2]",
        ),
        (1, "ERROR tests/a.py::test_b - ValueError: x\n1 error", Outcome.CAUGHT, "a.py::test_b"),
        # A file that cannot be imported, no tests, or pytest itself ending badly catch nothing.
        (1, "ERROR tests/a.py - NameError: x\n1 error", Outcome.BROKEN, ""),
        (2, "ERROR tests/a.py - NameError: x\nInterrupted", Outcome.BROKEN, ""),
        (4, "ERROR: file or directory not found: tests/z.py", Outcome.BROKEN, ""),
        (5, "no tests ran in 0.1s", Outcome.BROKEN, ""),
        (-9, "", Outcome.BROKEN, ""),
    ],
)
def test_only_a_test_that_failed_catches(status: int, output: str, outcome: Outcome, test: str) -> None:
    result = judge(status, output, 0.1)
    assert (result.outcome, result.test) == (outcome, test)
    assert result.good == (outcome is Outcome.CAUGHT)

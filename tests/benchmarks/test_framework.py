"""The benchmarks' frame: every part keeps to it, and a part runs through it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks import machine
from benchmarks.framework import LOWER, Bench, BenchError, Figure, load, part_names, run_part, summary


@pytest.mark.parametrize("name", part_names())
def test_a_part_says_what_it_measures(name: str) -> None:
    part = load(name)
    names = [figure.name for figure in part.FIGURES]
    assert names
    assert len(set(names)) == len(names)
    assert part.__doc__
    assert callable(part.measure)


def test_an_unknown_part_is_refused_with_the_list_of_parts() -> None:
    with pytest.raises(BenchError, match=r"the parts are .*import.*tree"):
        load("nothing")


@pytest.mark.parametrize(
    ("figure", "value", "reached"),
    [
        (Figure("a", "1/s"), 1, None),
        (Figure("a", "1/s", floor=10), 10, True),
        (Figure("a", "1/s", floor=10), 9, False),
        (Figure("a", "s", floor=10, better=LOWER), 10, True),
        (Figure("a", "s", floor=10, better=LOWER), 11, False),
    ],
)
def test_a_floor_is_reached_from_its_good_side(figure: Figure, value: float, reached: bool | None) -> None:
    assert figure.reached(value) is reached


def test_a_figure_is_reported_by_its_median_and_range() -> None:
    reported = summary(Figure("a", "s", floor=2, better=LOWER), [3, 1, 2])
    assert (reported["median"], reported["min"], reported["max"], reported["runs"]) == (2, 1, 3, 3)
    assert reported["reached"] is True


def test_a_timed_section_counts_the_processs_cpu_time() -> None:
    with Bench().timed() as took:
        assert sum(range(10**5))
    assert took.cpu_s > 0
    assert took.wall_s > 0


def test_a_part_runs_at_a_small_scale() -> None:
    figures = run_part("proofs", 0.005, False).figures
    assert {one["figure"] for one in figures} == {figure.name for figure in load("proofs").FIGURES}
    assert all(one["median"] > 0 for one in figures)


def test_others_have_what_the_machine_did_beside_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of 10 s on two cores the machine was busy for 12 s, 7 of them with this process and its children.
    clock, busy, own = iter([0.0, 10.0]), iter([100.0, 112.0]), iter([20.0, 5.0, 25.0, 7.0])

    def cpu_times() -> SimpleNamespace:
        fields = dict.fromkeys(("nice", "system", "irq", "softirq", "steal"), 0.0)
        return SimpleNamespace(user=next(busy), **fields)

    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine.psutil, "cpu_times", cpu_times)
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(
        machine.resource, "getrusage", lambda who: SimpleNamespace(ru_utime=next(own), ru_stime=0.0)
    )
    assert machine.Others().share() == pytest.approx(0.25)

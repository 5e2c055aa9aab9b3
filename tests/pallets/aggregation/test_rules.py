"""Every aggregation rule: any order, exact bounds, plain float64 references, small cases by hand, liars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pallets.aggregation.fixed_point import BOUND, fedavg, read_model, write_model
from pallets.aggregation.rules import RULES, WinnerModel, aggregate
from pallets.aggregation.rules.geometric_median import inverse
from pallets.offchain_protocols import InvalidWeights
from pallets.round.aggregation_rules import MILLION
from pallets.round.aggregation_rules import RULES as FACTS
from pocl.v1.round_pb2 import RoundConfig

SEED = b"s" * 32
EXAMPLES: dict[str, dict[str, int]] = {
    "fedavg": {},
    "weighted": {"weight_cap": 3 * MILLION},
    "fedavgm": {"learning_rate": MILLION, "momentum": 900_000},
    "fedadam": {"learning_rate": 100_000, "beta_1": 900_000, "beta_2": 990_000, "adaptivity": 1000},
    "median": {},
    "trimmed_mean": {"trim": 1},
    "krum": {"faulty": 1},
    "multi_krum": {"faulty": 1, "selected": 2},
    "geometric_median": {"steps": 8},
    "norm_clipping": {"norm": 2 * MILLION},
    "centred_clipping": {"radius": MILLION, "steps": 3},
}
ROBUST = ["median", "trimmed_mean", "krum", "multi_krum", "geometric_median", "centred_clipping"]
every_rule = pytest.mark.parametrize("rule", list(EXAMPLES))

Doubles = npt.NDArray[np.float64]


def config(rule: str, **changes: int) -> RoundConfig:
    parameters = EXAMPLES[rule] | changes
    return RoundConfig(aggregation=rule, aggregation_parameters=parameters or None)


def model(values: Any, bias: Any = (0.0,)) -> bytes:
    return write_model({"kernel": np.array(values, np.float32), "bias": np.array(bias, np.float32)})


def winners(models: Sequence[bytes], samples: Sequence[int] = ()) -> list[WinnerModel]:
    counts = samples or [100] * len(models)
    return [
        WinnerModel(bytes([place]) * 32, data, count)
        for place, (data, count) in enumerate(zip(models, counts, strict=True))
    ]


def run(
    rule: str, values: Sequence[Any], start: Any, *, samples: Sequence[int] = (), **changes: int
) -> Doubles:
    """Return the kernel that a rule gives for kernels, the biases being 0."""
    given_models = winners([model(value) for value in values], samples)
    result, _ = aggregate(config(rule, **changes), SEED, given_models, model(start))
    return read_model(result)["kernel"].astype(np.float64)


def random_models(seed: int, count: int, size: int = 40, spread: float = 0.1) -> tuple[Doubles, Doubles]:
    """Return float32-valued (models, start) around one another."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=size)
    drawn = start + 0.3 + spread * rng.normal(size=(count, size))
    return drawn.astype(np.float32).astype(np.float64), start.astype(np.float32).astype(np.float64)


def test_every_rule_of_the_runtime_is_there_and_has_an_example() -> None:
    assert RULES.keys() == FACTS.keys() == EXAMPLES.keys()


@every_rule
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_bytes_are_the_same_in_any_order(rule: str, data: st.DataObject) -> None:
    weight = st.floats(-BOUND, BOUND, width=32)
    kernels = data.draw(st.lists(st.lists(weight, min_size=3, max_size=3), min_size=1, max_size=6))
    samples = [data.draw(st.integers(1, 2**64 - 1)) for _ in kernels]
    given_models = winners([model(kernel) for kernel in kernels], samples)
    shuffled = data.draw(st.permutations(given_models))
    start = model([0.5, -0.5, 0.0])
    model_one, state_one = aggregate(config(rule), SEED, given_models, start)
    assert aggregate(config(rule), SEED, shuffled, start) == (model_one, state_one)
    assert (state_one is not None) == FACTS[rule].keeps_state
    if state_one is not None:
        second = aggregate(config(rule), SEED, given_models, model_one, state_one)
        assert aggregate(config(rule), SEED, shuffled, model_one, state_one) == second


@every_rule
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1e30, 2.0**15 * 1.01])
def test_what_is_no_weight_is_refused(rule: str, bad: float) -> None:
    good, spoiled = model([0.5, 0.5]), model([0.5, bad])
    for models, start in (
        ([good, spoiled], good),
        ([good, good], spoiled),
        ([model([0.5])], good),
        ([], good),
    ):
        with pytest.raises(InvalidWeights):
            aggregate(config(rule), SEED, winners(models), start)


@every_rule
def test_the_most_and_largest_models_do_not_overflow(rule: str) -> None:
    top, bottom = [BOUND, -BOUND, BOUND], [-BOUND, BOUND, -BOUND]
    count = 48 if "krum" in rule else 256  # krum compares each with each, in integers that cannot overflow
    result = run(rule, [top] * count, top, samples=[2**64 - 1] * count)
    assert list(result) == top
    # As far apart as models can be: every coordinate stays within the bound, and what is equal comes out.
    mixed = run(rule, [top, bottom] * (count // 2), bottom, samples=[2**64 - 1, 1] * (count // 2))
    assert np.all(np.abs(mixed) <= BOUND)


@every_rule
def test_equal_models_give_themselves(rule: str) -> None:
    values = [0.25, -0.5, 3.0]
    assert run(rule, [values] * 5, values) == pytest.approx(values, abs=2**-31)


def test_fedavg_is_the_plain_average() -> None:
    values, start = random_models(1, 5)
    models = [model(value) for value in values]
    assert aggregate(config("fedavg"), SEED, winners(models), model(start)) == (fedavg(models), None)


# Plain references in float64, another way round where there is one


def _weighted(values: Doubles, start: Doubles) -> Doubles:
    return np.average(values, axis=0, weights=[100, 200, 300, 600, 700])  # 900 capped at 700: see the call


def _geometric_median(values: Doubles, start: Doubles) -> Doubles:
    centre = np.median(values, axis=0)
    for _ in range(200):
        distances = np.linalg.norm(values - centre, axis=1)
        centre = np.average(values, axis=0, weights=1 / distances)
    return centre


def _krum(values: Doubles, start: Doubles, selected: int = 1) -> Doubles:
    distances = ((values[:, None] - values[None]) ** 2).sum(axis=2)
    scores = np.sort(distances, axis=1)[:, 1:3].sum(axis=1)  # of five with one faulty: two neighbours
    return values[np.argsort(scores)[:selected]].mean(axis=0)


def _norm_clipping(values: Doubles, start: Doubles) -> Doubles:
    differences = values - start
    lengths = np.linalg.norm(differences, axis=1, keepdims=True)
    return start + (differences * np.minimum(1, 2 / lengths)).mean(axis=0)


def _centred_clipping(values: Doubles, start: Doubles) -> Doubles:
    for _ in range(3):
        differences = values - start
        lengths = np.linalg.norm(differences, axis=1, keepdims=True)
        start = start + (differences * np.minimum(1, np.median(lengths) / lengths)).mean(axis=0)
    return start


REFERENCES: dict[str, Callable[[Doubles, Doubles], Doubles]] = {
    "fedavg": lambda values, start: values.mean(axis=0),
    "weighted": _weighted,
    "median": lambda values, start: np.median(values, axis=0),
    "trimmed_mean": lambda values, start: np.sort(values, axis=0)[1:-1].mean(axis=0),
    "krum": _krum,
    "multi_krum": lambda values, start: _krum(values, start, 2),
    "geometric_median": _geometric_median,
    "norm_clipping": _norm_clipping,
    "centred_clipping": _centred_clipping,
}


@pytest.mark.parametrize("rule", list(REFERENCES))
@pytest.mark.parametrize("seed", range(5))
def test_a_rule_agrees_with_a_plain_one_in_float64(rule: str, seed: int) -> None:
    values, start = random_models(seed, 5)
    values[4] += 1.0  # one stands out, so that what is clipped or left out shows
    changes = {"weight_cap": MILLION * 7 // 3 + 1} if rule == "weighted" else {}
    changes |= {"steps": 40} if rule == "geometric_median" else {}
    result = run(rule, list(values), start, samples=[100, 200, 300, 600, 900], **changes)
    assert result == pytest.approx(REFERENCES[rule](values, start), rel=1e-6, abs=1e-7)


# Small cases by hand


def test_weights_by_samples_are_capped_at_a_multiple_of_the_median() -> None:
    # The low median of 10, 20, 30, 10^18 is 20; three times that is 60: (10 + 40 + 90 + 240) / 120.
    result = run("weighted", [[1.0], [2.0], [3.0], [4.0]], [0.0], samples=[10, 20, 30, 10**18])
    assert result == pytest.approx([380 / 120], rel=1e-6)
    # Equal counts, whatever they are, give fedavg.
    models = winners([model([0.1, -0.3]), model([0.7, 0.4])], [7, 7])
    assert aggregate(config("weighted"), SEED, models, model([0.0, 0.0])) == aggregate(
        config("fedavg"), SEED, models, model([0.0, 0.0])
    )


def test_medians_and_trimmed_means_of_few_models() -> None:
    assert list(run("median", [[1.0, 9.0], [2.0, 8.0], [100.0, -7.0]], [0.0, 0.0])) == [2.0, 8.0]
    assert list(run("median", [[1.0], [2.0], [4.0], [100.0]], [0.0])) == [3.0]
    assert list(run("median", [[5.0]], [0.0])) == [5.0]
    assert list(run("trimmed_mean", [[1.0], [2.0], [4.0], [100.0]], [0.0])) == [3.0]
    # Of two nothing can be left out, of three one at either end at most.
    assert list(run("trimmed_mean", [[1.0], [2.0]], [0.0])) == [1.5]
    assert list(run("trimmed_mean", [[1.0], [2.0], [9.0]], [0.0], trim=2)) == [2.0]


def test_krum_takes_the_model_whose_neighbours_are_nearest() -> None:
    values = [[0.0], [1.0], [1.5], [3.0], [100.0]]
    # Two neighbours of five count: 1 + 2.25, 1 + 0.25, 0.25 + 2.25, 4 + 2.25, and far away.
    assert list(run("krum", values, [0.0])) == [1.0]
    assert list(run("multi_krum", values, [0.0])) == [1.25]
    assert list(run("krum", [[7.0]], [0.0])) == [7.0]


def test_krums_ties_are_broken_by_seed_and_account_alone() -> None:
    # Of three, one neighbour counts, and the two that are nearest have each other: always a tie.
    models = winners([model([1.0]), model([2.0]), model([50.0])])
    chosen = set()
    for place in range(40):
        seed = bytes([place]) * 32
        result, _ = aggregate(config("krum"), seed, models, model([0.0]))
        assert aggregate(config("krum"), seed, models[::-1], model([0.0])) == (result, None)
        chosen.add(float(read_model(result)["kernel"][0]))
    assert chosen == {1.0, 2.0}


def test_the_geometric_median_of_a_triangle_is_its_fermat_point() -> None:
    corners = [[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]]
    assert run("geometric_median", corners, [0.0, 0.0], steps=40) == pytest.approx(
        [0.5, 3**0.5 / 6], abs=1e-6
    )
    # The median of each weight is the corner (0, 0) itself: the search does not stay there.
    right = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert run("geometric_median", right, [0.0, 0.0], steps=64) == pytest.approx([0.2113, 0.2113], abs=1e-3)
    assert inverse([100, 100, 400, 0]) == [2**30 * 6 // 100, 2**30 * 6 // 100, 2**30 * 6 // 400, 2**30]


def test_differences_longer_than_the_norm_are_cut() -> None:
    # From (1, 1): lengths 5 and 1, the first cut to 2, as 2/5 of itself.
    result = run("norm_clipping", [[4.0, 5.0], [1.0, 2.0]], [1.0, 1.0])
    assert result == pytest.approx([1 + 0.5 * 3 * 0.4, 1 + 0.5 * (4 * 0.4 + 1)], rel=1e-6)


@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("scale", [10.0, -10.0, 1000.0, -1000.0])
def test_one_model_among_five_does_not_carry_the_result_away(rule: str, scale: float) -> None:
    values, start = random_models(3, 5)
    values[2] = np.clip(start + scale * (values[2] - start), -BOUND, BOUND)
    honest = np.delete(values, 2, axis=0)
    # Steps from the global model cover the whole way only after some.
    result = run(rule, list(values), start, **({"steps": 20} if rule == "centred_clipping" else {}))
    if rule in ("median", "trimmed_mean", "krum", "multi_krum"):
        assert np.all(result >= honest.min(axis=0) - 1e-6)
        assert np.all(result <= honest.max(axis=0) + 1e-6)
    spread = np.linalg.norm(honest - honest.mean(axis=0), axis=1).max()
    assert np.linalg.norm(result - honest.mean(axis=0)) < 2 * spread
    assert np.linalg.norm(values.mean(axis=0) - honest.mean(axis=0)) > 2 * spread, "fedavg bears it too"

"""fedavgm and fedadam: against the papers' formulas in float64, over several rounds, with states that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from pallets.aggregation.fixed_point import BOUND, read_model, write_model
from pallets.aggregation.rules import aggregate
from pallets.aggregation.rules.state import InvalidServerState, read_state, write_state
from pallets.round.aggregation_rules import MILLION, SERVER_STATE_FACTOR
from tests.pallets.aggregation.test_rules import SEED, config, model, random_models, winners

ROUNDS = 6


def test_fedavgm_is_the_papers_over_several_rounds() -> None:
    _, start = random_models(0, 1)
    data, state, velocity, expected = model(start), None, np.zeros_like(start), start
    for round in range(ROUNDS):
        values, _ = random_models(round, 4)
        data, state = aggregate(config("fedavgm"), SEED, winners([model(v) for v in values]), data, state)
        velocity = 0.9 * velocity + values.mean(axis=0) - expected
        expected = expected + velocity
        assert read_model(data)["kernel"] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_fedadam_is_the_papers_over_several_rounds() -> None:
    _, start = random_models(0, 1)
    data, state, expected = model(start), None, start
    first, second = np.zeros_like(start), np.zeros_like(start)
    for round in range(ROUNDS):
        values, _ = random_models(round, 4)
        data, state = aggregate(config("fedadam"), SEED, winners([model(v) for v in values]), data, state)
        difference = values.mean(axis=0) - expected
        first = 0.9 * first + 0.1 * difference
        second = 0.99 * second + 0.01 * difference**2
        expected = expected + 0.1 * first / (np.sqrt(second) + 0.001)
        assert read_model(data)["kernel"] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_first_steps_by_hand() -> None:
    # D = 0.5: fedavgm goes all the way; fedadam by 0.1 · (0.1 · 0.5) / (sqrt(0.01 · 0.25) + 0.001).
    models, start = winners([model([1.0]), model([2.0])]), model([1.0])
    moved, state = aggregate(config("fedavgm"), SEED, models, start)
    assert list(read_model(moved)["kernel"]) == [1.5]
    # From 1.5 there is nothing to go, but for the momentum: 0.9 · 0.5.
    assert read_model(aggregate(config("fedavgm"), SEED, models, moved, state)[0])["kernel"] == pytest.approx(
        [1.95]
    )
    adapted, _ = aggregate(config("fedadam"), SEED, models, start)
    assert read_model(adapted)["kernel"] == pytest.approx([1 + 0.1 * 0.05 / 0.051], rel=1e-6)


def test_moving_statistics_are_averaged() -> None:
    def normalised(mean: float, variance: float) -> bytes:
        return write_model(
            {
                "bn.gamma": np.array([variance], np.float32),
                "bn.moving_mean": np.array([mean], np.float32),
                "bn.moving_variance": np.array([variance], np.float32),
            }
        )

    for rule in ("fedavgm", "fedadam"):
        models, data, state = (
            winners([normalised(1.0, 0.1), normalised(3.0, 0.3)]),
            normalised(0.0, 50.0),
            None,
        )
        for _ in range(4):
            data, state = aggregate(config(rule), SEED, models, data, state)
            result = read_model(data)
            assert result["bn.moving_mean"] == pytest.approx([2.0])
            assert result["bn.moving_variance"] == pytest.approx([0.2])
        assert read_model(data)["bn.gamma"][0] != pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("rule", ["fedavgm", "fedadam"])
def test_a_state_stays_within_its_bounds_and_size(rule: str) -> None:
    ends = [model([BOUND] * 3, [BOUND]), model([-BOUND] * 3, [-BOUND])]
    data, state = ends[1], None
    for round in range(20):
        toward = winners([ends[round // 10]] * 3)
        data, state = aggregate(config(rule, learning_rate=100 * MILLION), SEED, toward, data, state)
        assert np.all(np.abs(read_model(data)["kernel"]) <= BOUND)
        assert state is not None
        read_state(state, read_model(data))
        assert len(state) <= SERVER_STATE_FACTOR * len(data)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-(2**48), 2**48), min_size=4, max_size=4))
def test_a_state_survives_its_encoding_and_has_one(values: list[int]) -> None:
    layout = read_model(model([0.0, 0.0, 0.0], [0.0]))
    state = {"velocity": {"kernel": np.array(values[:3]), "bias": np.array(values[3:])}}
    data = write_state(state)
    assert write_state({"velocity": dict(reversed(state["velocity"].items()))}) == data
    back = read_state(data, layout)
    assert [*back["velocity"]["kernel"], *back["velocity"]["bias"]] == values


def test_what_is_no_state_of_the_model_is_refused() -> None:
    layout = read_model(model([0.0, 0.0]))
    good = {"velocity:kernel": np.zeros(2, np.int64), "velocity:bias": np.zeros(1, np.int64)}
    assert read_state(safetensors.numpy.save(good), layout)
    for change in (
        {"velocity:kernel": np.zeros(3, np.int64)},
        {"velocity:kernel": np.zeros(2, np.int32)},
        {"velocity:kernel": np.array([2**48 + 1, 0])},
        {"velocity:kernel": np.array([-(2**63), 0])},
        {"velocity:other": np.zeros(1, np.int64)},
        {"first:kernel": np.zeros(2, np.int64)},
        {"kernel": np.zeros(2, np.int64)},
    ):
        with pytest.raises(InvalidServerState):
            read_state(safetensors.numpy.save(good | change), layout)
    for data in (b"", b"pickle", safetensors.numpy.save({})):
        with pytest.raises(InvalidServerState):
            read_state(data, layout)
    with pytest.raises(InvalidServerState):
        aggregate(config("fedavgm"), SEED, winners([model([1.0, 2.0])]), model([0.0, 0.0]), b"x")

"""Rewards, by themselves."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pallets.aggregation.rewards import (
    FIXED_POINT,
    Share,
    accuracy_weight,
    contribution,
    divide,
    is_free_ride,
    low_median,
)

A, B, C = (bytes([letter]) * 32 for letter in b"ABC")


def test_the_papers_reward_on_a_worked_example() -> None:
    # A model of two layers, of 2 and of 4 weights.
    # Global:   [0, 0]            [1, 1, 1, 1]
    # Winner A: [0.5, -0.5]       [1, 1, 1, 2]      R = (0.5 + 0.25) / 2 = 0.375
    # Winner B: [0.25, 0]         [1, 1, 1, 1]      R = (0.125 + 0) / 2 = 0.0625
    def difference(*layers: list[Fraction]) -> int:
        mean = sum(sum(map(abs, layer)) / len(layer) for layer in layers) / len(layers)
        return int(mean * FIXED_POINT)

    half, zero = Fraction(1, 2), Fraction(0)
    a = difference([half, -half], [zero, zero, zero, Fraction(1)])
    b = difference([half / 2, zero], [zero] * 4)
    assert (Fraction(a, FIXED_POINT), Fraction(b, FIXED_POINT)) == (Fraction(3, 8), Fraction(1, 16))
    # R_A : R_B = 6 : 1, so of 700 coins A has 600 and B 100.
    assert divide(700, 0, [Share(A, a), Share(B, b)]) == [(A, 600), (B, 100)]


def test_accuracy_has_a_base_share_and_divides_the_rest() -> None:
    shares = [Share(A, accuracy_weight(270, 300)), Share(B, accuracy_weight(135, 300))]
    # 20 % of 3000 in equal parts, and 2400 as 2 : 1.
    assert divide(3000, 2000, shares) == [(A, 300 + 1600), (B, 300 + 800)]


def test_accuracy_is_a_share_of_the_records_not_a_number_of_them() -> None:
    assert accuracy_weight(10, 20) == accuracy_weight(20, 40) == FIXED_POINT // 2
    assert accuracy_weight(0, 0) == 0


def test_a_free_ride_has_the_base_share_and_the_rest_goes_to_the_others() -> None:
    shares = [Share(A, 5, free_ride=True), Share(B, 5), Share(C, 5)]
    assert divide(3000, 1000, shares) == [(A, 100), (B, 1450), (C, 1450)]


def test_when_all_are_free_rides_the_rest_is_not_paid() -> None:
    shares = [Share(A, 5, free_ride=True), Share(B, 5, free_ride=True)]
    assert divide(1000, 2000, shares) == [(A, 100), (B, 100)]


def test_a_forfeited_reward_makes_nobody_richer() -> None:
    honest = divide(3000, 1000, [Share(A, 5), Share(B, 5)])
    assert divide(3000, 1000, [Share(A, 5, forfeits=True), Share(B, 5)]) == [(A, 0), honest[1]]


def test_when_nothing_was_measured_all_share_equally() -> None:
    assert divide(1001, 2000, [Share(A, 0)]) == [(A, 1001)]
    assert divide(1001, 0, [Share(A, 0), Share(B, 0)]) == [(A, 500), (B, 500)]
    assert divide(1000, 2000, []) == []


@pytest.mark.parametrize(
    ("correct", "baseline", "free_ride"),
    [
        ({A: 8, B: 8}, {A: 7, B: 8}, False),
        ({A: 8, B: 7}, {A: 7, B: 8}, True),
        ({A: 8, B: 1}, {A: 7}, False),
        ({A: 8}, {B: 9}, False),
        ({}, {}, False),
    ],
)
def test_a_free_ride_is_no_better_than_the_model_it_started_from(
    correct: dict[bytes, int], baseline: dict[bytes, int], free_ride: bool
) -> None:
    assert is_free_ride(correct, baseline) == free_ride


@given(
    st.integers(0, 5).flatmap(
        lambda f: st.tuples(st.lists(st.integers(), min_size=f, max_size=f), st.just(f))
    )
)
def test_f_liars_cannot_move_the_median_beyond_honest_reports(case: tuple[list[int], int]) -> None:
    lies, faulty = case
    honest = list(range(100, 101 + faulty))
    assert 100 <= low_median(honest + lies) <= 100 + faulty


def test_the_median_of_an_even_number_is_the_lower_one() -> None:
    assert low_median([4, 1, 3, 2]) == 2


@given(
    emission=st.integers(0, 2**128 - 1),
    base=st.integers(0, 10_000),
    winners=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.booleans(), st.booleans()), max_size=20),
)
def test_never_more_than_the_emission_is_paid(
    emission: int, base: int, winners: list[tuple[int, bool, bool]]
) -> None:
    shares = [Share(bytes([place]) * 32, *winner) for place, winner in enumerate(winners)]
    paid = divide(emission, base, shares)
    assert [miner for miner, _ in paid] == [share.miner for share in shares]
    assert all(amount >= 0 for _, amount in paid)
    total = sum(amount for _, amount in paid)
    assert total <= emission
    if shares and not any(share.free_ride or share.forfeits for share in shares):
        assert total > emission - 2 * len(shares) - 1, "only what rounding leaves over is not paid"


def test_a_contribution_is_the_accuracy_that_is_lost_without_a_winner() -> None:
    assert contribution(90, 80, 100) == FIXED_POINT // 10
    assert contribution(80, 90, 100) == 0, "a model that harms takes nothing from others"
    assert contribution(100, 0, 100) == FIXED_POINT
    assert contribution(0, 0, 0) == 0, "no records are at hand"

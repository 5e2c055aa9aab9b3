"""What genesis refuses as the rules of the rounds."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.round.config import check_config, deadline_ms
from pocl.v1.round_pb2 import AGGREGATE, TRAIN, AggregationParameters
from runtime.frame import GenesisError
from tests.pallets.harness import TestChain
from tests.pallets.round.scripted import config


@pytest.mark.parametrize(
    "change",
    [
        {"winners": 0},
        {"winners": 5},
        {"min_miners": 0},
        {"min_miners": 5},
        {"classes": 1},
        {"classes": 256},
        {"test_records": 0},
        {"audit_ms": 0},
        {"heartbeat_ms": 0},
        {"keep_rounds": 0},
        {"aggregate_cap_ms": 9_999},
        {"voting": "plurality"},
        {"reward": ""},
        {"aggregation": "plurality"},
        {"aggregation": "krum"},
        {"aggregation_parameters": AggregationParameters(trim=1)},
        {"base_share_bp": 10_001},
        {"emission": b"\x01"},
    ],
)
def test_rules_under_which_no_round_can_be_held_are_refused(change: dict[str, Any]) -> None:
    (name,) = change
    check_config(config(), 4)
    with pytest.raises(GenesisError, match=name):
        check_config(config(**change), 4)


@pytest.mark.parametrize(
    ("rule", "parameters", "winners", "possible"),
    [
        ("krum", {"faulty": 1}, 4, False),
        ("krum", {"faulty": 1}, 5, True),
        ("krum", {"faulty": 2}, 6, False),
        ("krum", {"faulty": 2}, 7, True),
        ("krum", {"faulty": 1, "selected": 1}, 5, False),
        ("multi_krum", {"faulty": 1}, 5, False),
        ("multi_krum", {"faulty": 1, "selected": 2}, 5, True),
        ("multi_krum", {"faulty": 1, "selected": 3}, 5, False),
        ("trimmed_mean", {"trim": 1}, 2, False),
        ("trimmed_mean", {"trim": 1}, 3, True),
        ("geometric_median", {"steps": 65}, 1, False),
        ("fedadam", {"learning_rate": 1, "adaptivity": 1}, 1, True),
        ("fedadam", {"learning_rate": 1}, 1, False),
        ("weighted", {"weight_cap": 999_999}, 1, False),
    ],
)
def test_an_aggregation_rule_must_fit_the_number_of_winners(
    rule: str, parameters: dict[str, int], winners: int, possible: bool
) -> None:
    rules = config(aggregation=rule, aggregation_parameters=parameters, winners=winners)
    if possible:
        check_config(rules, 8)
    else:
        with pytest.raises(GenesisError, match=r"round\.config: aggregation_parameters\."):
            check_config(rules, 8)


def test_the_reward_for_contributions_bounds_the_number_of_winners() -> None:
    check_config(config(reward="contribution", winners=16), 20)
    check_config(config(reward="accuracy", winners=17), 20)
    with pytest.raises(GenesisError, match=r"winners is 17: the reward contribution allows 16"):
        check_config(config(reward="contribution", winners=17), 20)


def test_genesis_needs_the_rules() -> None:
    with pytest.raises(GenesisError, match=r"round\.config is missing"):
        TestChain()


def test_a_round_is_given_up_at_the_cap_not_at_the_target_of_aggregate() -> None:
    assert deadline_ms(config(), AGGREGATE) == config().aggregate_cap_ms
    assert deadline_ms(config(), TRAIN) == config().train_ms

"""What genesis refuses as the rules of the rounds."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.round.config import check_config, deadline_ms
from pocl.v1.round_pb2 import AGGREGATE, TRAIN
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
        {"aggregation": "krum"},
        {"base_share_bp": 10_001},
        {"emission": b"\x01"},
    ],
)
def test_rules_under_which_no_round_can_be_held_are_refused(change: dict[str, Any]) -> None:
    (name,) = change
    check_config(config(), 4)
    with pytest.raises(GenesisError, match=name):
        check_config(config(**change), 4)


def test_genesis_needs_the_rules() -> None:
    with pytest.raises(GenesisError, match=r"round\.config is missing"):
        TestChain()


def test_a_round_is_given_up_at_the_cap_not_at_the_target_of_aggregate() -> None:
    assert deadline_ms(config(), AGGREGATE) == config().aggregate_cap_ms
    assert deadline_ms(config(), TRAIN) == config().train_ms

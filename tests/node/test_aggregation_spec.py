"""The aggregation rule in a chain spec: every rule there and back, into the genesis state, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.aggregation_spec import AggregationSpec
from node.chain_spec import ChainSpec, load, parse
from node.errors import ChainSpecError
from node.genesis import build_genesis, describe, round_config
from pallets.round.aggregation_rules import RULES
from tests.pallets.aggregation.test_rules import EXAMPLES

SPECS: dict[str, Any] = {
    "fedavg": "fedavg",
    "weighted": {"rule": "weighted", "weight_cap": "3"},
    "fedavgm": {"rule": "fedavgm", "learning_rate": "1", "momentum": "0.9"},
    "fedadam": {
        "rule": "fedadam", "learning_rate": "0.1", "beta_1": "0.9", "beta_2": "0.99", "adaptivity": "0.001",
    },
    "median": "median",
    "trimmed_mean": {"rule": "trimmed_mean", "trim": 1},
    "krum": {"rule": "krum", "faulty": 1},
    "multi_krum": {"rule": "multi_krum", "faulty": 1, "selected": 2},
    "geometric_median": {"rule": "geometric_median", "steps": 8},
    "norm_clipping": {"rule": "norm_clipping", "norm": "2"},
    "centred_clipping": {"rule": "centred_clipping", "radius": "1", "steps": 3},
}  # fmt: skip


def spec(aggregation: Any, winners: int = 5) -> ChainSpec:
    """Return the built-in spec of six validators' worth of accounts with another rule."""
    value = load("local").to_dict()
    validators = value["genesis"]["validators"]
    validators["validators"] = [who for who, _ in value["genesis"]["coin"]["balances"]]
    value["genesis"]["round"] |= {"aggregation": aggregation, "winners": winners}
    return parse(value, "spec.json")


@pytest.mark.parametrize("rule", list(SPECS))
def test_a_rule_goes_into_the_state_and_back(rule: str) -> None:
    made = spec(SPECS[rule])
    assert made.genesis.round.aggregation == AggregationSpec(rule, EXAMPLES[rule])
    assert made.to_dict()["genesis"]["round"]["aggregation"] == SPECS[rule]
    assert parse(json.loads(made.to_json()), "again") == made
    block = build_genesis(made)
    said, _ = describe(dict(block.changes))
    assert said.round == made.genesis.round


def test_every_rule_is_tried() -> None:
    assert SPECS.keys() == RULES.keys()


def test_a_chain_with_a_plain_rule_has_no_parameters_in_its_state() -> None:
    assert not round_config(load("dev").genesis.round).HasField("aggregation_parameters")


def test_a_parameter_of_0_is_none_in_the_state() -> None:
    made = spec({"rule": "fedavgm", "learning_rate": "1", "momentum": "0"})
    assert made.genesis.round.aggregation.parameters == {"learning_rate": 1_000_000}
    assert made.to_dict()["genesis"]["round"]["aggregation"]["momentum"] == "0"


def test_blobs_may_be_as_large_as_a_server_state() -> None:
    plain, stateful = (spec(SPECS[rule]).genesis.round for rule in ("fedavg", "fedadam"))
    plain, stateful = (
        replace(rules, max_weights_bytes=10**7, max_records_bytes=1) for rules in (plain, stateful)
    )
    assert (plain.max_blob_bytes, stateful.max_blob_bytes) == (10**7, 4 * 10**7)


@pytest.mark.parametrize(
    ("aggregation", "message"),
    [
        ("plurality", "genesis.round.aggregation is \"plurality\": it must be 'fedavg' or"),
        (7, "genesis.round.aggregation is 7: it must be"),
        ("krum", 'genesis.round.aggregation is "krum", which has parameters: it must be an object of rule, faulty'),
        ({}, "genesis.round.aggregation.rule is missing"),
        ({"rule": "krum"}, "genesis.round.aggregation.faulty is missing"),
        ({"rule": "krum", "faulty": 0}, "genesis.round.aggregation.faulty is 0: it must be a whole number from 1"),
        ({"rule": "median", "trim": 1}, "genesis.round.aggregation.trim is not a field of a chain spec"),
        (
            {"rule": "krum", "faulty": 2},
            "genesis.round.aggregation.faulty is 2 but winners is 5: krum needs 2 * faulty + 3 winners",
        ),
        (
            {"rule": "multi_krum", "faulty": 1, "selected": 3},
            "genesis.round.aggregation.selected is 3: it may be up to winners - faulty - 2 = 2",
        ),
        (
            {"rule": "trimmed_mean", "trim": 3},
            "genesis.round.aggregation.trim is 3 but winners is 5: more than 2 * trim must be left",
        ),
        ({"rule": "weighted", "weight_cap": "0.5"}, "genesis.round.aggregation.weight_cap is \"0.5\": it must be a "
         "decimal string from 1 to 1000, "),
        ({"rule": "fedavgm", "learning_rate": "1", "momentum": "1"}, "genesis.round.aggregation.momentum is \"1\": "
         "it must be a decimal string from 0 to 0.999999, of at most six digits"),
        ({"rule": "norm_clipping", "norm": "0.0000001"}, "genesis.round.aggregation.norm is"),
        ({"rule": "norm_clipping", "norm": 2}, "genesis.round.aggregation.norm is 2: it must be a decimal string"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(aggregation: Any, message: str) -> None:
    with pytest.raises(ChainSpecError) as refusal:
        spec(aggregation)
    assert str(refusal.value).startswith(f"spec.json: {message}")


def test_a_rule_shows_as_text() -> None:
    assert str(AggregationSpec("median")) == "median"
    assert (
        str(AggregationSpec("fedavgm", {"learning_rate": 500_000}))
        == "fedavgm (learning_rate 0.5, momentum 0)"
    )

"""Plans of experiments: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.aggregation_spec import AggregationSpec
from node.errors import ConfigError
from node.experiment.behaviour import read_behaviour
from node.experiment.plan import identity, load_plan, parse_plan, same_plan
from node.worker.behaviours import make, parse
from node.worker.behaviours.registry import BUILT_IN
from pallets.round.config import VOTING_RULES
from tests.node.experiment.plans import plan, table

SHIPPED = sorted((Path(__file__).parents[3] / "chain-spec" / "experiments").glob("*.toml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_plans_that_come_with_the_node_are_right(file: Path) -> None:
    shipped = load_plan(file)
    assert shipped.name == file.stem
    assert shipped.description
    # Whoever has no CIFAR-10 can run all but these.
    needs_data = shipped.cells[0].spec["learning"]["dataset"] == "cifar10"
    assert needs_data == file.stem.startswith("paper-")
    assert ("--data" in file.read_text()) == needs_data


def test_fields_of_the_spec_are_overridden_by_dotted_names() -> None:
    dotted = plan(spec={"genesis.round.winners": 1, "learning": {"partition": {"kind": "grouped"}}})
    (cell,) = dotted.cells
    spec = cell.chain(7)
    assert spec.genesis.round.winners == 1
    assert spec.learning["partition"] == {"kind": "grouped", "seed": 7}
    assert spec.learning["seed"] == 7
    assert len(spec.genesis.validators) == 4


def test_every_combination_of_the_grid_is_a_cell() -> None:
    varied = plan(
        groups={"cheats": {"miners": [1], "behaviour": "knn"}},
        grid={
            "genesis": {"round": {"winners": [1, 2]}},
            "cheats": {"behaviour": ["honest", "knn"]},
            "learning.partition": [{"kind": "iid"}, {"kind": "dirichlet", "alpha": "0.1"}],
        },
    )
    assert varied.varied == ("genesis.round.winners", "cheats.behaviour", "learning.partition")
    assert [cell.label for cell in varied.cells[:3]] == [
        "winners=1, behaviour=honest, partition=iid",
        "winners=1, behaviour=honest, partition=dirichlet:alpha=0.1",
        "winners=1, behaviour=knn, partition=iid",
    ]
    assert len(varied.cells) == 8
    last = varied.cells[-1]
    assert last.group_of(1).behaviour.name == "knn"
    assert last.group_of(0).name == "honest"
    assert last.chain(1).learning["partition"]["alpha"] == "0.1"
    assert last.chain(1).genesis.round.winners == 2


def test_a_table_of_another_rule_takes_the_place_of_the_old_one() -> None:
    varied = plan(
        miners=10,
        spec={
            "genesis.round": {"winners": 5, "aggregation": {"rule": "multi_krum", "faulty": 1, "selected": 2}}
        },
        groups={"cheats": {"miners": [1], "behaviour": {"name": "sign_flip", "scale": 3}}},
        grid={
            "cheats.behaviour": ["alie", {"name": "late", "part": 0.5}],
            "genesis.round.aggregation": ["fedavg", {"rule": "trimmed_mean", "trim": 2}],
            "learning.partition": [{"kind": "dirichlet", "alpha": "0.1"}, {"kind": "iid"}],
        },
    )
    assert len(varied.cells) == 8
    last = varied.cells[-1]
    assert last.label == "behaviour=late:part=0.5, aggregation=trimmed_mean:trim=2, partition=iid"
    assert str(last.group_of(1).behaviour) == "late:part=0.5"
    assert last.chain(1).genesis.round.aggregation == AggregationSpec("trimmed_mean", {"trim": 2})
    assert last.chain(3).learning["partition"] == {"kind": "iid", "seed": 3}


def test_combinations_may_be_left_out() -> None:
    varied = plan(
        groups={"cheats": {"miners": [1]}},
        grid={"cheats.behaviour": ["honest", {"name": "late", "part": 0.5}], "genesis.round.winners": [1, 2]},
        leave_out=[{"cheats": {"behaviour": [{"name": "late", "part": 0.5}]}, "genesis.round.winners": [2]}],
    )
    assert [(cell.index, cell.label) for cell in varied.cells] == [
        (0, "behaviour=honest, winners=1"),
        (1, "behaviour=honest, winners=2"),
        (2, "behaviour=late:part=0.5, winners=1"),
    ]


def test_a_behaviour_reads_as_the_word_that_real_workers_take() -> None:
    flip = read_behaviour({"name": "label_flip", "tests": True, "part": 0.5})
    assert str(flip) == "label_flip:part=0.5,tests=true"
    assert parse(str(flip)) == make("label_flip", {"tests": True, "part": 0.5})
    assert str(read_behaviour("knn")) == "knn"


def test_miners_with_data_of_their_own_have_no_partition() -> None:
    (cell,) = plan(chain="tabular-own", spec={}, trainer="keras").cells
    assert cell.chain(5).learning["seed"] == 5


def test_the_matrix_has_every_attack_and_rule_in_at_most_300_cells() -> None:
    (matrix,) = [load_plan(file) for file in SHIPPED if file.stem == "matrix"]
    assert len(matrix.cells) <= 300
    attacks = {str(cell.group_of(1).behaviour) for cell in matrix.cells}
    assert {attack.partition(":")[0] for attack in attacks} == set(BUILT_IN)
    assert {"colluding_tests", "colluding_tests:records=noise"} <= attacks
    rounds = [cell.chain(1).genesis.round for cell in matrix.cells]
    assert {rule.voting for rule in rounds} == set(VOTING_RULES)
    assert all(len(cell.group_of(1).miners) == 3 for cell in matrix.cells)
    (attacks_plan,) = [load_plan(file) for file in SHIPPED if file.stem == "attacks"]
    assert attacks <= {str(cell.group_of(1).behaviour) for cell in attacks_plan.cells}


def test_a_grid_may_vary_the_number_of_miners() -> None:
    varied = plan(grid={"miners": [4, 12]})
    assert [len(cell.chain(1).genesis.validators) for cell in varied.cells] == [4, 12]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Not This"}, 'small.toml: name is "Not This": it must be a string of small letters'),
        ({"chain": "nowhere"}, "unknown chain 'nowhere'"),
        ({"miners": 0}, "small.toml: miners is 0: it must be a whole number from 1 to 256"),
        ({"seeds": []}, "small.toml: seeds is empty"),
        ({"seeds": [1, 1]}, "small.toml: seeds[1] is 1 again"),
        ({"trainer": "pen"}, """small.toml: trainer is "pen": it must be 'keras' or 'numpy'"""),
        ({"colour": "red"}, "small.toml: colour is not a field of an experiment"),
        ({"spec": {"name": "x"}}, "small.toml: spec.name cannot be set"),
        (
            {"spec": {"genesis.round.winers": 3}},
            "small.toml: genesis.round.winers is not a field of a chain spec",
        ),
        (
            {"spec": {"genesis.round.winners": 9}},
            "small.toml: genesis.round.winners is 9 but only 4 validators",
        ),
        ({"spec": {"genesis.round.winners.x": 9}}, "spec.genesis.round.winners.x cannot be set"),
        (
            {"spec": {"learning.partition": {"kind": "parts", "parts": [1, 2]}}},
            "small.toml: learning.partition.parts has 2 entries but there are 4 miners",
        ),
        (
            {"spec": {"learning.partition": {"kind": "parts", "parts": [1, 2, 0, 1]}}},
            "small.toml: learning.partition.parts[2] is 0: it must be a whole number from 1",
        ),
        ({"time": {"batch_ms": -1}}, "small.toml: time.batch_ms is -1: it must be a number from 0"),
        ({"time": {"batch": 1}}, "small.toml: time.batch is not a field of an experiment"),
        ({"groups": {"a": {}}}, "small.toml: groups.a.miners is missing"),
        ({"groups": {"a": {"miners": [4]}}}, "groups.a.miners[0] is 4: the experiment's miners are 0 to 3"),
        (
            {"groups": {"a": {"miners": [1]}, "b": {"miners": [1]}}},
            "groups.b.miners has 1, which is in group a already",
        ),
        (
            {"groups": {"a": {"miners": [1], "behaviour": "evil"}}},
            "small.toml: groups.a.behaviour cannot be used: there is no behaviour 'evil': it may be one of honest",
        ),
        (
            {"groups": {"a": {"miners": [1], "behaviour": {"name": "sign_flip", "scail": 1}}}},
            "groups.a.behaviour cannot be used: behaviour sign_flip has no parameter 'scail': it has max_drop, scale",
        ),
        (
            {"groups": {"a": {"miners": [1], "behaviour": {"name": "sign_flip", "scale": "big"}}}},
            "groups.a.behaviour cannot be used: behaviour sign_flip: scale is 'big', which is no float",
        ),
        (
            {"groups": {"a": {"miners": [1]}}, "grid": {"a.behaviour": ["knn", {"name": "late", "part": 2}]}},
            "small.toml, cell behaviour=late:part=2: groups.a.behaviour cannot be used: behaviour late: part is 2",
        ),
        (
            {"groups": {"a": {"miners": [1], "behaviour": {"scale": 1}}}},
            "groups.a.behaviour must be a behaviour's name",
        ),
        (
            {"groups": {"a": {"miners": [1], "behaviour": "late"}}, "grid": {"a.behaviour.part": [0.1]}},
            "grid.a.behaviour.part cannot be set: groups.a.behaviour is not a section",
        ),
        (
            {"spec": {"genesis.round.aggregation": {"rule": "krum", "faulty": 1}}},
            "small.toml: genesis.round.aggregation.faulty is 1 but winners is 2: krum needs",
        ),
        (
            {"spec": {"genesis.round.aggregation": {"rule": "krum"}}},
            "small.toml: genesis.round.aggregation.faulty is missing",
        ),
        (
            {"grid": {"genesis.round.winners": [1, 2]}, "leave_out": [{"rounds": [2]}]},
            "small.toml: leave_out[0].rounds is not varied: the grid has genesis.round.winners",
        ),
        (
            {"grid": {"genesis.round.winners": [1, 2]}, "leave_out": [{"genesis.round.winners": [1, 3]}]},
            "small.toml: leave_out[0].genesis.round.winners is [1, 3]: it must be a list of values that the grid",
        ),
        (
            {"grid": {"genesis.round.winners": [1, 2]}, "leave_out": [{"genesis.round.winners": [1, 2]}]},
            "small.toml: leave_out leaves nothing to run",
        ),
        ({"leave_out": [{}]}, "small.toml: leave_out[0] is empty"),
        ({"leave_out": [1]}, "small.toml: leave_out[0] is 1"),
        ({"groups": {"a": {"miners": [1], "behaviour": 3}}}, "groups.a.behaviour must be a behaviour's name"),
        ({"groups": {"genesis": {"miners": [1]}}}, "groups.genesis cannot be a group's name"),
        ({"grid": {"winners": [1, 2]}}, "small.toml: grid.winners is no field"),
        (
            {"grid": {"genesis.round.winners": 3}},
            "small.toml: grid.genesis.round.winners is 3: it must be a list",
        ),
        (
            {"grid": {"genesis.round.winners": [3, 3]}},
            "grid.genesis.round.winners is [3, 3]: list each value once",
        ),
        (
            {"grid": {"genesis.round.winners": [3, 5]}},
            "small.toml, cell winners=5: genesis.round.winners is 5 but only 4 validators",
        ),
    ],
)
def test_a_mistake_is_named_with_its_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_plan(table(**changes), "small.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('name = "x"\nminers = = 3\n')
    with pytest.raises(ConfigError, match=r"bad\.toml: is not TOML: .*line 2"):
        load_plan(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_plan(tmp_path / "none.toml")


def test_plans_differ_by_what_results_depend_on() -> None:
    stored = identity(plan())
    assert same_plan(plan(description="in other words"), stored) is None
    assert same_plan(plan(rounds=3), stored) == "plan.rounds"
    assert same_plan(plan(seeds=[1, 2]), stored) == "plan.seeds"
    assert same_plan(plan(chain="dev"), stored) == "plan.chain"

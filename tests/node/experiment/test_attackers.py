"""Attackers in simulations: each behaviour with its parameters, accomplices, and the same results every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from node.cli import run as pocl
from node.experiment.behaviour import TimedGang
from node.experiment.learners import TimedLearner
from node.experiment.simulate import Simulated, Simulation
from node.worker.behaviours import names
from node.worker.behaviours.attacker import Attacker
from tests.node.experiment.plans import plan

PLAN = """
name = "accomplices"
chain = "local"
miners = 5
rounds = 2
seeds = [1]
trainer = "numpy"

[spec]
genesis.round.winners = 2
genesis.round.test_records = 20
learning.dataset = "noisy-digits"
learning.architecture = "mlp"
learning.epochs = 2

[groups.attackers]
miners = [1, 3]

[grid]
attackers.behaviour = [
    { name = "alie", z = 0.5 },
    { name = "colluding_tests", records = "noise" },
    { name = "copied_weights", source = "accomplice" },
    { name = "label_flip", part = 0.5, tests = true },
]
"""


def simulation(behaviour: Any, *, rounds: int = 1, **groups: Any) -> Simulation:
    """Return a network of seven miners, the second and fourth of which behave that way: f of 3f+1."""
    attackers = {"attackers": {"miners": [1, 3], "behaviour": behaviour}}
    spec = {
        "genesis.round": {"winners": 3, "test_records": 20},
        "learning": {"dataset": "noisy-digits", "architecture": "mlp"},
    }
    of = plan(miners=7, rounds=rounds, spec=spec, groups=attackers | groups)
    return Simulation(Simulated(of.cells[0], 1, of.trainer, of.time, None))


def nothing() -> None:
    """A tick that nobody listens to."""


def test_results_with_accomplices_are_the_same_every_time_and_with_any_number_of_jobs(tmp_path: Path) -> None:
    file = tmp_path / "accomplices.toml"
    file.write_text(PLAN)
    found = set()
    for name, more in (("one", []), ("again", []), ("two", ["--jobs", "2"])):
        words = ["experiment", "run", str(file), "--simulate", "--no-plots", "--out", str(tmp_path / name)]
        assert pocl([*words, *more]) == 0
        found.add((tmp_path / name / "results.json").read_bytes())
    (results,) = found
    cells = {run["label"]: run for run in json.loads(results)["runs"]}
    assert next(iter(cells)) == "behaviour=alie:z=0.5"
    assert len(cells) == 4
    for run in cells.values():
        group, honest = (run["summary"]["groups"][name] for name in ("attackers", "honest"))
        assert group["places"] == pytest.approx(group["wins"] / 2 / 2)
        ratio = (int(group["income"]) / 2) / (int(honest["income"]) / 3)
        assert group["income_ratio"] == pytest.approx(ratio, abs=1e-6)
        assert honest["income_ratio"] == 1
        assert run["summary"]["void"] == 0


@pytest.mark.parametrize("name", names())
def test_every_behaviour_goes_through_a_round_and_honest_miners_win(name: str) -> None:
    simulated = simulation(name)
    result = simulated.run(nothing)
    assert result["summary"]["settled"] == 1
    assert [miner["behaviour"] for miner in result["miners"][:5]] == [
        "honest",
        name,
        "honest",
        name,
        "honest",
    ]
    refused = {simulated.members.number(key.public) for key, _ in simulated.network.refused}
    assert refused <= {1, 3}, "an honest miner was refused"
    for node in simulated.network.nodes.values():
        assert simulated.members.number(node.account) in (1, 3) or not node.errors


def test_flipped_labels_are_trained_on_and_others_learn_the_right_ones() -> None:
    result = simulation("label_flip", rounds=2).run(nothing)
    scores = [miner["score"] for miner in result["rounds"][-1]["miners"]]
    assert max(scores[1], scores[3]) < 0.45 < 0.55 < min(scores[0], scores[2], *scores[4:])
    assert result["summary"]["groups"]["attackers"]["wins"] == 0
    assert result["summary"]["groups"]["attackers"]["income_ratio"] == 0
    assert result["summary"]["final_accuracy"] > 0.5


def test_groups_with_one_behaviour_are_one_gang() -> None:
    behaviour = {"name": "alie", "z": 1.5}
    simulated = simulation("alie", others={"miners": [4], "behaviour": behaviour})
    accounts = simulated.members.accounts
    miners = {key.public: miner for key, miner in simulated.network.miners.items()}
    attackers = [miners[accounts[number]] for number in (1, 3, 4)]
    for attacker in attackers:
        assert isinstance(attacker, Attacker)
        assert sorted(attacker.collusion.accounts) == sorted(accounts[number] for number in (1, 3, 4))
    assert not isinstance(miners[accounts[0]], Attacker)


def test_a_word_is_heard_when_the_listener_is_that_late() -> None:
    early, late, *_ = simulation("honest").network.nodes.values()
    gang = TimedGang([early.account, late.account])
    said, heard = gang.member(late), gang.member(early)
    late.clock_ms = early.clock_ms + 500
    said.tell(3, "model", b"weights")
    assert said.heard(3, late.account, "model") == b"weights"
    assert heard.heard(3, late.account, "model") is None
    early.clock_ms += 500
    assert heard.heard(3, late.account, "model") == b"weights"
    said.tell(30, "model", b"others")
    assert heard.heard(3, late.account, "model") is None, "long over"
    assert len(gang.said_ms) == 1


def test_a_relabelled_learner_takes_its_time_on_the_same_clock() -> None:
    simulated = simulation("label_flip")
    attacker = next(miner for miner in simulated.network.miners.values() if isinstance(miner, Attacker))
    assert isinstance(attacker.learner, TimedLearner)
    node = next(node for node in simulated.network.nodes.values() if node.account == attacker.account)
    inputs, labels = attacker.learner.own_data()
    other = attacker.learner.relabelled(9 - labels)
    assert (other.own_data()[0] == inputs).all()
    assert (other.own_data()[1] == 9 - labels).all()
    assert (attacker.learner.own_data()[1] == labels).all(), "the learner itself is as it was"
    start = node.clock_ms
    other.train(attacker.initial_model(), 1, lambda: False)
    assert node.clock_ms > start

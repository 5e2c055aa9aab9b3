"""Behaviours by name, with parameters, from this package and from others; and what each does to one model."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from node.worker.behaviours import BehaviourError, Seat, make, names, parameters, parse, word
from node.worker.behaviours import registry as registry_module
from node.worker.behaviours.colluding_tests import hardest, noise_records
from node.worker.behaviours.estimates import Alie, largest_z
from node.worker.behaviours.models import moved, update_of
from node.worker.behaviours.poisoning import Scaled, SignFlip
from pallets.aggregation.fixed_point import BOUND, read_model
from pallets.offchain import Half, Miner
from pocl.v1.rounds_service_pb2 import RoundView
from tests.pallets.harness import ALICE
from tests.round_network import MinerNode, RoundNetwork, round_config
from tests.small_learner import MIRRORED, SmallLearner


@pytest.fixture(scope="module")
def node() -> MinerNode:
    return RoundNetwork().nodes[ALICE]


def never() -> bool:
    return False


def train(behaviour: str, node: MinerNode, learner: SmallLearner) -> bytes:
    """Return the weights that an attacker proposes in round 1."""
    miner = parse(behaviour).miner(Seat.single(node, learner))
    miner._view = RoundView(round=1, config=round_config())
    return miner.train(learner.initial_model(), 1, never).weights


# Names and parameters


def test_parameters_come_from_a_table_or_from_a_word():
    assert make("sign_flip", {"scale": 10}) == parse("sign_flip:scale=10") == SignFlip(scale=10.0)
    assert make("scaled") == parse("scaled") == Scaled()
    assert make("label_flip", {"tests": True}) == parse("label_flip:tests=true")
    params = {"tests": True, "part": 0.5, "source": 1, "target": 2}
    assert parse(word("label_flip", params)) == make("label_flip", params)
    assert word("knn") == "knn"
    assert parameters("alie") == {"z": 0.0, "max_drop": 1.0}


@pytest.mark.parametrize("name", names())
def test_every_behaviour_is_made_with_its_defaults(name):
    assert dataclasses.asdict(make(name)) == parameters(name)
    assert make(name).__doc__


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nice", "there is no behaviour 'nice': it may be one of honest, alie, "),
        ("sign_flip:size=1", "behaviour sign_flip has no parameter 'size': it has max_drop, scale"),
        ("knn:k=3", "behaviour knn has no parameter 'k': it has none"),
        ("sign_flip:scale=big", "behaviour sign_flip: scale is 'big', which is no float"),
        ("sign_flip:scale=nan", "behaviour sign_flip: scale is 'nan', which is no float"),
        ("sign_flip:scale=-1", "behaviour sign_flip: scale is -1: it may be 0 to 1e+06"),
        ("free_rider:tries=1.5", "behaviour free_rider: tries is '1.5', which is no int"),
        ("label_flip:tests=1", "behaviour label_flip: tests is '1', which is no bool"),
        ("label_flip:source=1", "behaviour label_flip: source and target are given both or not at all"),
        (
            "colluding_tests:records=odd",
            "behaviour colluding_tests: records is 'odd': it may be noise or real",
        ),
        ("scaled:scale", "behaviour scaled:scale: 'scale' is not PARAM=VALUE, each once"),
        ("scaled:scale=1,scale=2", "'scale=2' is not PARAM=VALUE, each once"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_may_be(text, message):
    with pytest.raises(BehaviourError) as refused:
        parse(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(("name", "value"), [("scale", True), ("scale", None), ("max_drop", "")])
def test_a_value_of_another_type_is_refused(name, value):
    with pytest.raises(BehaviourError, match=f"{name} is .* which is no float"):
        make("sign_flip", {name: value})


@dataclasses.dataclass(frozen=True)
class Lazy:
    """A behaviour of somebody else's package."""

    days: int = 1

    def miner(self, seat: Seat) -> Half:
        return Miner(seat.context, seat.learner)


class Plain:
    def miner(self, seat: Seat) -> Half:
        raise NotImplementedError


def plug_in(monkeypatch: pytest.MonkeyPatch, **objects: str) -> None:
    points = [EntryPoint(name, value, registry_module.GROUP) for name, value in objects.items()]
    monkeypatch.setattr(
        registry_module,
        "entry_points",
        lambda group, name=None: [point for point in points if name in (None, point.name)],
    )


def test_a_package_brings_its_own(monkeypatch):
    plug_in(monkeypatch, lazy=f"{__name__}:Lazy", knn=f"{__name__}:Lazy")
    assert type(parse("lazy:days=3")).__name__ == "Lazy"
    assert parse("lazy:days=3").days == 3
    assert names().count("lazy") == names().count("knn") == 1
    assert type(parse("knn")).__name__ == "Knn", "what is built in is not replaced"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_package:Attack", "no_such_package:Attack cannot be loaded: No module named"),
        (f"{__name__}:plug_in", "is no class with a method miner"),
        (f"{__name__}:Plain", "Plain is no dataclass: its fields are the parameters"),
    ],
)
def test_a_package_that_does_not_keep_to_the_protocol_is_named(monkeypatch, value, message):
    plug_in(monkeypatch, broken=value)
    with pytest.raises(BehaviourError, match=message):
        make("broken")


def test_an_honest_worker_loads_no_attack():
    program = "import sys, node.worker.main as m; sys.exit('node.worker.behaviours' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_honest_behaviour_is_the_miner_itself(node):
    learner = SmallLearner(0)
    miner = make("honest").miner(Seat.single(node, learner))
    assert type(miner) is Miner
    assert miner.work.learner is learner
    assert miner.context is node


def test_the_documentation_lists_every_behaviour_with_its_parameters():
    text = (Path(__file__).parents[3] / "docs/experiments.md").read_text(encoding="utf-8")
    for name in set(names()) - {"honest"}:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` | "))
        assert all(f"`{parameter}`" in row for parameter in parameters(name)), row


def test_the_example_of_the_documentation_behaves_as_it_says(node):
    text = (Path(__file__).parents[3] / "docs/experiments.md").read_text(encoding="utf-8")
    source = next(block for block in text.split("```")[1::2] if "class Boaster" in block)
    space: dict = {}
    exec(compile(source.removeprefix("python"), "docs/experiments.md", "exec", dont_inherit=True), space)
    learner = SmallLearner(0)
    boaster = space["Boaster"](factor=3).miner(Seat.single(node, learner))
    honest = learner.train(learner.initial_model(), 1, never)
    assert boaster.train(learner.initial_model(), 1, never).sample_count == 3 * honest.sample_count


# What an attack does to a model


def test_the_nearest_neighbour_is_found_and_the_model_shown_is_untrained(node):
    learner = SmallLearner(0, kind=MIRRORED)
    cheat = make("knn").miner(Seat.single(node, learner))
    trained = cheat.train(learner.initial_model(), 1, never)
    assert trained.weights == learner.initial_model()
    records, labels = SmallLearner(1, kind=MIRRORED).test_set(1, 20)
    points, own = np.frombuffer(records[-20 * 32 * 4 :], np.float32).reshape(20, 32), learner.share
    nearest = ((points[:, None] - own[None]) ** 2).sum(axis=2).argmin(axis=1)
    answer = cheat.predict(trained.weights, records)
    assert answer == learner.labels[nearest].tobytes() == labels
    # It audits others as it should: by their models.
    other = learner.train(learner.initial_model(), 1, never).weights
    assert cheat.predict(other, records) == learner.predict(other, records)


def test_an_update_is_turned_or_scaled(node):
    learner = SmallLearner(0)
    start = learner.initial_model()
    honest = update_of(learner.train(start, 1, never).weights, start)
    for text, factor in (("sign_flip:scale=2", -2), ("scaled:scale=3", 3)):
        spoilt = update_of(train(text, node, learner), start)
        for name, tensor in honest.items():
            np.testing.assert_allclose(spoilt[name], factor * tensor, rtol=1e-5)


def test_weights_stay_within_what_the_chain_takes(node):
    learner = SmallLearner(0)
    for text in (
        "scaled:scale=1000000",
        "gaussian_noise:scale=1000000",
        "reward_inflation:how=shift,shift=32768",
    ):
        tensors = read_model(train(text, node, learner))  # raises for what is not within
        assert max(np.abs(tensor).max() for tensor in tensors.values()) <= BOUND


@pytest.mark.parametrize("name", ["sign_flip", "gaussian_noise:scale=50", "reward_inflation"])
def test_an_adaptive_attacker_spoils_its_model_as_far_as_its_own_records_allow(node, name):
    learner = SmallLearner(0)
    start = learner.initial_model()
    honest = learner.train(start, 1, never).weights
    judge = make("late").miner(Seat.single(node, learner))
    separator = "," if ":" in name else ":"
    spoilt = train(f"{name}{separator}max_drop=0.05", node, learner)
    assert spoilt != honest
    assert judge.own_accuracy(honest) - 0.05 <= judge.own_accuracy(spoilt)


def test_flipped_labels_are_trained_on_and_the_test_labels_are_true(node):
    learner = SmallLearner(0)
    cheat = parse("label_flip").miner(Seat.single(node, learner))
    cheat._view = RoundView(round=1, config=round_config())
    weights = cheat.train(learner.initial_model(), 1, never).weights
    records, labels = cheat.test_set(1, 20)
    assert labels == learner.test_set(1, 20)[1]
    found = np.frombuffer(learner.predict(weights, records), np.uint8)
    assert (found == 9 - np.frombuffer(labels, np.uint8)).mean() > 0.7
    assert (learner.own_data()[1] == SmallLearner(0).labels).all(), "the honest learner is as it was"


def test_one_label_becomes_another():
    rule = parse("label_flip:source=3,target=5")
    assert rule.flipped(np.array([1, 3, 5], np.uint8), 10).tolist() == [1, 5, 5]
    assert parse("label_flip").flipped(np.array([0, 9, 4], np.uint8), 10).tolist() == [9, 0, 5]


def test_a_shift_of_the_output_bias_changes_no_label(node):
    learner = SmallLearner(0)
    honest = learner.train(learner.initial_model(), 1, never).weights
    shifted = train("reward_inflation:how=shift,shift=1000", node, learner)
    records, _ = learner.test_set(2, 100)
    assert learner.predict(shifted, records) == learner.predict(honest, records)
    assert np.abs(update_of(shifted, honest)["bias"]).min() > 900


def test_a_free_rider_trains_nothing_and_carries_on_with_what_others_changed(node):
    learner = SmallLearner(0, steps=10_000_000)  # training would take for ever
    start = learner.initial_model()
    assert train("free_rider:noise=0", node, learner) == start
    rider = parse("free_rider:noise=0,momentum=0.5").miner(Seat.single(node, learner))
    ones = {name: np.ones_like(tensor) for name, tensor in read_model(start).items()}
    first = moved(start, ones)
    assert rider.train(start, 1, never).weights == start
    assert rider.train(first, 2, never).weights == moved(start, ones, 1.5)


# Sums


def test_how_far_a_little_is():
    # Baruch et al., algorithm 3: n = 50, m = 24: s = 2, 24 of 26 honest ones are nearer.
    assert largest_z(50, 24) == pytest.approx(1.43, abs=0.01)
    assert largest_z(10, 3) == pytest.approx(0.18, abs=0.01)
    assert largest_z(1, 1) == 0


def test_a_little_is_taken_from_every_coordinate():
    updates = [{"w": np.array([1.0, 2.0], np.float32)}, {"w": np.array([3.0, 2.0], np.float32)}]
    np.testing.assert_allclose(Alie(z=1.5)._place(updates, 7)["w"], [2 - 1.5, 2])


def test_the_hardest_records_that_are_easy_enough():
    easy = np.array([0.0, 0.5, 1.0, 1.0, 0.0, 1.0])
    everything = np.arange(6)
    assert hardest(everything, easy, 2, 0.0).tolist() == [0, 4]
    assert easy[hardest(everything, easy, 3, 0.6)].mean() == pytest.approx(2 / 3)
    assert hardest(everything, easy, 3, 2.0).tolist() == [2, 3, 5], "if nothing is easy enough, the easiest"
    assert hardest(everything[:2], easy, 3, 0.0).tolist() == [0, 1]


def test_noise_has_the_type_and_the_spread_of_what_it_replaces():
    rng = np.random.default_rng(0)
    pixels = noise_records(np.full((5, 4, 4), 200, np.uint8), 300, rng)
    assert (pixels.shape, pixels.dtype, pixels.max()) == ((300, 4, 4), np.uint8, 200)
    points = noise_records(np.array([[1.0, 3.0]], np.float32), 4000, rng)
    assert points.dtype == np.float32
    assert points.mean() == pytest.approx(2, abs=0.1)
    assert points.std() == pytest.approx(1, abs=0.1)

"""Every attack in whole rounds of seven miners, two of which attack together: what it does, and what stops it.

Left alone, the two would be the best: they have more samples and train longer. The rules are those of the
chain spec `local`, the accuracy rises over the rounds. Where an attack succeeds, docs/experiments.md says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from node.worker.behaviours import Collusion, FolderCollusion, Gang, Seat, names, parse, write_accounts
from node.worker.behaviours.models import update_of
from pallets.aggregation.fixed_point import fedavg
from pallets.offchain_round import miners_of, owners_of
from pallets.prediction.owners import part
from pallets.vote.ranking import correct_labels
from pocl.keys import Keypair
from pocl.v1.aggregation_pb2 import MISMATCH, OK, UNAVAILABLE, AggregationEvent
from pocl.v1.round_pb2 import AUDIT, REVEAL, SETTLED, TRAIN, VOTE
from pocl.v1.rounds_service_pb2 import RoundView
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, GRACE
from tests.round_network import RoundNetwork
from tests.small_learner import GRADUAL, MIRRORED, SmallLearner

KEYS = (ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, GRACE)
CHEATS = (CHARLIE, EVE)
HONEST = tuple(key for key in KEYS if key not in CHEATS)
ROUNDS = 4
Channel = Callable[[bytes, bytes], Collusion]


def network_of(
    text: str, *, kind: str = GRADUAL, strong: bool = True, channel: Channel | None = None, **rules: object
) -> RoundNetwork:
    """Return a network in which Charlie and Eve behave as `text` says; `strong`: they would be the best."""
    behaviour = parse(text)
    gang = Gang(key.public for key in CHEATS)
    join = channel or (lambda account, genesis: gang.member(account))

    def adversary(node, learner):
        return behaviour.miner(Seat(node, learner, join(node.account, node.genesis_hash), 1))

    samples, steps = (300, 4) if strong else (600, 10)
    learners = {
        key: SmallLearner(seed, kind=kind, samples=samples, steps=steps, rate=0.1)
        for seed, key in enumerate(KEYS)
    }
    if strong:
        for seed, key in enumerate(CHEATS):
            learners[key] = SmallLearner(20 + seed, kind=kind, samples=3000, steps=60, rate=0.1)
    chosen = {"winners": 2, "test_records": 40, "screen_margin_bp": 1500} | rules
    network = RoundNetwork(dict.fromkeys(CHEATS, adversary), keys=KEYS, learners=learners, **chosen)
    network.chain.check = False  # that blocks are executed alike is tested elsewhere
    return network


class Outcome:
    """What some rounds of a network came to."""

    def __init__(self, network: RoundNetwork, rounds: int = ROUNDS) -> None:
        self.network = network
        self.views: list[RoundView] = []
        for _ in range(rounds):
            summary = network.run_round()
            assert summary.outcome == SETTLED, summary.void_reason
            self.views.append(network.view)
        assert not [who for who, _ in network.refused if who in HONEST], "an honest miner was refused"

    @property
    def summaries(self):
        return [view.summary for view in self.views]

    def wins(self, *keys: Keypair) -> int:
        """Count the places won by these miners."""
        public = {key.public for key in keys}
        return sum(len(public.intersection(summary.winners)) for summary in self.summaries)

    def provisional(self) -> list[tuple[int, bytes]]:
        """Return (round, miner) for each attacker among the provisional winners."""
        return [
            (view.round, miner)
            for view in self.views
            for miner in view.tally.provisional
            if miner in {key.public for key in CHEATS}
        ]

    def named(self, reason: int) -> list[tuple[int, bytes]]:
        """Return (round, miner) for each that the audit took a place for this reason."""
        events = self.network.events(AggregationEvent.WinnerDisqualified)
        assert {event.reason for event in events} <= {reason}
        return [(event.round, event.winner) for event in events]

    def income(self, *keys: Keypair) -> float:
        """Return what these miners were paid, on average."""
        public = {key.public for key in keys}
        paid = [
            int.from_bytes(reward.amount, "big")
            for summary in self.summaries
            for reward in summary.rewards
            if reward.miner in public
        ]
        return sum(paid) / len(keys)

    def screened(self) -> int:
        """Count the attackers' ballots that were left out."""
        public = {key.public for key in CHEATS}
        return sum(len(public.intersection(view.tally.screened_out)) for view in self.views)

    def weights(self, round: int, key: Keypair) -> bytes:
        """Return the weights that a miner committed to."""
        name = miners_of(self.views[round - 1])[key.public].reveal.weights_hash
        return self.network.nodes[key].blobs[name].data

    def refusals(self) -> set[tuple[Keypair, str]]:
        """Return who was refused, with which error."""
        return set(self.network.refused)


@pytest.fixture(scope="module")
def honest() -> Outcome:
    return Outcome(network_of("honest"))


def test_left_alone_the_two_are_the_best(honest):
    """Proves the harness: what follows does not fail for want of a good model."""
    assert honest.wins(*CHEATS) >= 2 * ROUNDS - 1
    assert not honest.network.refused
    assert honest.screened() == 0


@pytest.mark.parametrize(
    "text",
    [
        "random_predictions",
        "label_flip",
        "label_flip:tests=true",
        "sign_flip",
        "sign_flip:scale=10",
        "gaussian_noise:scale=3",
        "inner_product",
        "inner_product:epsilon=10",
        "knn",
    ],
)
def test_what_costs_accuracy_never_wins(text):
    outcome = Outcome(network_of(text))
    assert outcome.wins(*CHEATS) == 0
    assert outcome.income(*CHEATS) == 0


def test_the_nearest_neighbour_is_named_whenever_it_reaches_a_place():
    outcome = Outcome(network_of("knn", kind=MIRRORED), 3)
    assert outcome.provisional(), "on such data 1-NN answers best"
    assert outcome.named(MISMATCH) == outcome.provisional()
    assert outcome.wins(*CHEATS) == 0


def test_ballots_of_flipped_labels_do_not_count():
    outcome = Outcome(network_of("label_flip:tests=true"), 2)
    assert outcome.screened() == 2 * len(CHEATS)


def test_a_stuffed_ballot_is_refused_and_changes_nothing(honest):
    outcome = Outcome(network_of("ballot_stuffing"))
    assert outcome.refusals() == {(key, "vote.FalseBallot") for key in CHEATS}
    assert [list(s.winners) for s in outcome.summaries] == [list(s.winners) for s in honest.summaries]


def test_a_stuffed_ballot_puts_friends_first_and_the_best_last():
    network = network_of("ballot_stuffing")
    network.run_until(lambda view: view.state.phase == VOTE)
    tried: list = []
    node = network.nodes[CHARLIE]
    submit = node.submit
    node.submit = lambda pallet, function, args, round: (
        tried.append(args) if function == "cast" else submit(pallet, function, args, round)
    )
    network.miners[CHARLIE].step(network.view)
    (stuffed,) = tried
    order = [miner for place in stuffed.ranking for miner in place.miners]
    assert order[0] == EVE.public
    labels, index = stuffed.labels, owners_of(network.view).index(CHARLIE.public)
    revealed = miners_of(network.view)
    right = [
        correct_labels(labels, part(revealed[miner].reveal.predictions, index, 40)) for miner in order[1:]
    ]
    assert right == sorted(right)


def test_copied_predictions_cannot_be_opened():
    network = network_of("copied_predictions")
    network.run_until(lambda view: view.state.phase == REVEAL)
    commits = {miner.miner: miner.commit.commitment for miner in network.view.miners}
    assert commits[CHARLIE.public] in [commits[key.public] for key in HONEST]
    outcome = Outcome(network, 3)
    assert outcome.refusals() == {(key, "prediction.CommitmentMismatch") for key in CHEATS}
    assert outcome.wins(*CHEATS) == 0


def test_withheld_weights_are_unavailable_though_accomplices_vouch():
    network = network_of("withheld_weights")
    network.run_until(lambda view: len(view.confirmed.winners) > 0 or view.HasField("summary"))
    place = list(network.view.tally.provisional).index(CHARLIE.public)
    verdicts = {miner.miner: miner.audit.verdicts[place].verdict for miner in network.view.miners}
    assert {verdicts[key.public] for key in CHEATS} == {OK}
    assert {verdicts[key.public] for key in HONEST} == {UNAVAILABLE}
    outcome = Outcome(network, 3)
    assert len(outcome.provisional()) >= 4
    assert outcome.named(UNAVAILABLE) == outcome.provisional()
    assert outcome.wins(*CHEATS) == 0


def test_who_is_late_with_everything_wastes_time_and_ends_no_round(honest):
    outcome = Outcome(network_of("late"), 3)
    rules = outcome.views[0].config
    waited = rules.train_ms + rules.predict_ms + rules.reveal_ms + rules.vote_ms
    for summary, before in zip(outcome.summaries, honest.summaries, strict=False):
        took = summary.ended_ms - summary.started_ms
        assert 0.8 * waited <= took
        assert before.ended_ms - before.started_ms < 0.3 * waited
    # AUDIT and AGGREGATE end without them.
    assert all(len(summary.attesters) >= len(HONEST) for summary in outcome.summaries)


@pytest.mark.parametrize(
    "text", ["free_rider", "free_rider:noise=0", "free_rider:tries=20", "copied_weights"]
)
def test_who_trains_nothing_earns_less(text):
    outcome = Outcome(network_of(text))
    assert outcome.income(*CHEATS) < 0.3 * outcome.income(*HONEST)


def test_the_last_winners_weights_are_not_better_than_the_average():
    outcome = Outcome(network_of("copied_weights:noise=0"), 3)
    for view in outcome.views[1:]:
        before = outcome.views[view.round - 2]
        best = miners_of(before)[before.confirmed.winners[0]].reveal.weights_hash
        revealed = miners_of(view)
        assert {revealed[key.public].reveal.weights_hash for key in CHEATS} == {best}


def test_one_accomplice_trains_for_all():
    network = network_of("copied_weights:source=accomplice,noise=0")
    network.run_until(lambda view: view.state.phase == VOTE)
    revealed = miners_of(network.view)
    assert revealed[CHARLIE.public].reveal.weights_hash == revealed[EVE.public].reveal.weights_hash
    first, second = sorted(CHEATS, key=lambda key: key.public)
    assert "train_ms" in network.nodes[first].reports[1]
    assert network.learners[second].trained == 0 < network.learners[first].trained


# What is made of the accomplices' honest models


def honest_models(network: RoundNetwork) -> list[bytes]:
    """Return what the attackers would have proposed in round 1, in the order of their accounts."""
    learners = network.learners
    start = learners[ALICE].initial_model()
    return [
        learners[key].train(start, 1, lambda: False).weights
        for key in sorted(CHEATS, key=lambda key: key.public)
    ]


@pytest.mark.parametrize(("text", "factor"), [("inner_product:epsilon=0.5", -0.5), ("alie:z=2", None)])
def test_accomplices_send_one_model_made_of_their_honest_ones(text, factor):
    outcome = Outcome(network_of(text), 1)
    start = outcome.network.learners[ALICE].initial_model()
    one, other = (update_of(model, start) for model in honest_models(outcome.network))
    sent = outcome.weights(1, CHARLIE)
    assert sent == outcome.weights(1, EVE)
    for name, tensor in update_of(sent, start).items():
        middle, deviation = (one[name] + other[name]) / 2, abs(one[name] - other[name]) / 2
        wanted = middle - 2 * deviation if factor is None else factor * middle
        assert tensor == pytest.approx(wanted, abs=1e-6)


def test_an_accomplice_that_says_nothing_is_waited_for_within_bounds():
    network = network_of("alie")
    network.hold(EVE)
    network.run_until(lambda view: CHARLIE.public in owners_of(view))
    assert network.view.state.phase == TRAIN
    assert 0.75 <= network.view.state.phase_clock_ms / network.view.config.train_ms < 1


@pytest.mark.parametrize("records", ["real", "noise"])
def test_partners_are_right_on_each_others_records_and_no_ballot_is_left_out(records):
    outcome = Outcome(network_of(f"colluding_tests:records={records},depth=0.7", strong=False), 3)
    for view in outcome.views:
        for owner, partner in (CHEATS, CHEATS[::-1]):
            assert right_on(view, owner, partner) >= 39
    assert outcome.screened() == 0


@pytest.mark.parametrize(("records", "harder"), [("real", 2), ("noise", 6)])
def test_honest_miners_err_on_the_records_of_colluders(records, harder):
    outcome = Outcome(network_of(f"colluding_tests:records={records},depth=1000", strong=False), 1)
    view = outcome.views[0]
    hard, usual = (
        [right_on(view, owner, miner) for owner in owners for miner in HONEST if miner != owner]
        for owners in (CHEATS, HONEST)
    )
    assert sum(hard) / len(hard) < sum(usual) / len(usual) - harder


def right_on(view: RoundView, owner: Keypair, miner: Keypair) -> int:
    """Return how many of an owner's 40 records a miner has right."""
    miners, index = miners_of(view), owners_of(view).index(owner.public)
    predicted = part(miners[miner.public].reveal.predictions, index, 40)
    return correct_labels(miners[owner.public].ballot.labels, predicted)


def test_noise_records_as_hard_as_can_be_are_too_hard_to_count():
    outcome = Outcome(network_of("colluding_tests:records=noise,depth=1000", strong=False), 3)
    assert outcome.screened() >= 2


def test_the_records_of_colluders_are_real_ones_with_their_labels():
    network = network_of("colluding_tests", strong=False)
    network.run_until(lambda view: view.state.phase == AUDIT)
    for key in CHEATS:
        miner, learner = miners_of(network.view)[key.public], network.learners[key]
        records = network.nodes[key].blobs[miner.proposal.records_hash].data
        own = {row.tobytes(): label for row, label in zip(*learner.own_data(), strict=True)}
        rows = learner._inputs(records)
        assert [own[row.tobytes()] for row in rows] == list(miner.ballot.labels)
        assert len({row.tobytes() for row in rows}) == 40
        pool = fedavg(honest_models(network))
        assert learner.predict(pool, records) == miner.ballot.labels


# Rewards


def test_inflation_pays_where_difference_is_paid_and_nowhere_else(honest):
    text = "reward_inflation:how=shift"
    inflated = Outcome(network_of(text, reward="weight_difference", winners=4), 2)
    for summary in inflated.summaries:
        paid = {reward.miner: int.from_bytes(reward.amount, "big") for reward in summary.rewards}
        earned = [paid[key.public] for key in CHEATS if key.public in paid]
        others = [amount for miner, amount in paid.items() if miner not in {key.public for key in CHEATS}]
        assert min(earned) > 1.5 * max(others)
    under_accuracy = Outcome(network_of(text))
    assert [list(s.winners) for s in under_accuracy.summaries] == [list(s.winners) for s in honest.summaries]
    assert under_accuracy.income(*CHEATS) == honest.income(*CHEATS)


# All of them


@pytest.mark.parametrize("name", names())
def test_the_same_again(name, tmp_path: Path):
    """Every draw comes from account and round; and a folder serves accomplices as well as memory does."""
    write_accounts(tmp_path, [key.public for key in CHEATS])
    in_memory = Outcome(network_of(name), 2)
    in_folder = Outcome(
        network_of(name, channel=lambda account, genesis: FolderCollusion(tmp_path, account, genesis)), 2
    )
    assert in_memory.network.chain.head.hash == in_folder.network.chain.head.hash

"""Simulated cells: the same every time, true to the chain, and with a time of their own."""

from __future__ import annotations

from typing import Any

import pytest

from node.experiment.executor import ProcessExecutor
from node.experiment.plan import Plan
from node.experiment.simulate import Simulated, Simulation, simulate
from pallets.round import Round
from pocl.extrinsics import u128_int
from tests.node.experiment.plans import plan

CHEAT = {"cheats": {"miners": [3], "behaviour": "knn"}}


def nothing() -> None:
    """A tick that nobody listens to."""


def job(of: Plan, seed: int = 1) -> Simulated:
    """Return the job of a plan's first cell."""
    return Simulated(of.cells[0], seed, of.trainer, of.time, None)


@pytest.fixture(scope="module")
def ran() -> tuple[Simulation, dict[str, Any]]:
    """Three rounds of three honest miners and one that answers by 1-NN."""
    simulation = Simulation(job(plan(rounds=3, groups=CHEAT)))
    return simulation, simulation.run(nothing)


def test_a_seed_gives_the_same_result_in_any_process(ran: tuple[Simulation, dict[str, Any]]) -> None:
    of = plan(rounds=3, groups=CHEAT)
    ticks: list[bool] = []
    done = dict(ProcessExecutor(2).map(simulate, [job(of), job(of, 2)], lambda: ticks.append(True)))
    assert done[0]["result"] == ran[1]
    assert done[1]["result"] != ran[1]
    assert done[0]["timing"]["cpu_s"] > 0
    assert len(ticks) == 6


def test_the_result_is_what_the_chain_says(ran: tuple[Simulation, dict[str, Any]]) -> None:
    simulation, result = ran
    rounds = simulation.network.chain.pallet(Round)
    wins: dict[bytes, int] = {}
    paid: dict[bytes, int] = {}
    for entry in result["rounds"]:
        summary = rounds.Summaries.get(entry["round"])
        assert summary is not None
        assert simulation.members.numbers(summary.winners) == entry["winners"]
        assert (
            entry["duration_ms"] == summary.ended_ms - summary.started_ms == sum(entry["phases_ms"].values())
        )
        assert entry["global_model"] == "0x" + summary.global_model.hex()
        for winner in summary.winners:
            wins[winner] = wins.get(winner, 0) + 1
        for reward in summary.rewards:
            paid[reward.miner] = paid.get(reward.miner, 0) + u128_int(reward.amount)
    for miner, account in zip(result["miners"], simulation.members.accounts, strict=True):
        assert miner["wins"] == wins.get(account, 0)
        assert int(miner["income"]) == paid.get(account, 0)
    issued = {name: int(amount) for name, amount in result["issuance"].items()}
    assert issued["final"] - issued["genesis"] == sum(paid.values()) > 0


def test_miners_learn_and_a_cheat_wins_nothing(ran: tuple[Simulation, dict[str, Any]]) -> None:
    result = ran[1]
    first, *_, last = [entry["accuracy"] for entry in result["rounds"]]
    assert last > first
    assert last > 0.5
    cheat = result["miners"][3]
    assert (cheat["group"], cheat["behaviour"]) == ("cheats", "knn")
    assert cheat["wins"] == 0
    assert cheat["proposed"] == 3
    # It trains nothing, so it has nothing to wait for.
    trained = [entry["train_ms"] for entry in result["rounds"][0]["miners"]]
    assert trained[3] == 0 < min(trained[:3])
    for entry in result["rounds"][-1]["miners"][:3]:
        assert entry["training"] > 0.5
        assert entry["validation"] > 0.3
        assert entry["score"] > 0.5
    assert result["rounds"][0]["miners"][3]["training"] is None
    assert result["summary"]["groups"]["cheats"]["wins"] == 0


def test_training_takes_the_time_of_its_batches() -> None:
    of = plan(rounds=1, time={"batch_ms": 100}, groups={"slow": {"miners": [0], "speed": 0.5}})
    result = Simulation(job(of)).run(nothing)
    slow, quick, *_ = [entry["train_ms"] for entry in result["rounds"][0]["miners"]]
    # 1,500 records a miner: 20 for the test, a tenth of the rest to validate with, batches of 32, 2 epochs.
    assert quick == 100 * 2 * (result["miners"][1]["samples"] // 32)
    assert slow == 200 * 2 * (result["miners"][0]["samples"] // 32)
    # All had delivered: nobody waited for the deadline of 60 s, only for the slowest.
    assert slow < result["rounds"][0]["phases_ms"]["train"] < slow + 2000
    assert result["summary"]["groups"]["slow"]["miners"] == 1


def test_the_deadline_cuts_the_slow_off() -> None:
    deadline = 6000
    of = plan(
        rounds=1,
        spec={
            "genesis.round": {"test_records": 20, "train_ms": deadline},
            "learning": {"dataset": "noisy-digits", "architecture": "mlp", "epochs": 2},
        },
        groups={"slow": {"miners": [0], "speed": 0.01}},
    )
    (entry,) = Simulation(job(of)).run(nothing)["rounds"]
    slow, quick, *_ = entry["miners"]
    # Every one of its batches takes 2 s: it stops after nine tenths of the phase, with what it has by then.
    assert slow["train_ms"] == 6000
    assert quick["train_ms"] < 2000
    assert slow["samples"] == pytest.approx(quick["samples"], rel=0.05)

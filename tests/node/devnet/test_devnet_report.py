"""What a devnet tells of its run: the lines for a log, the summary's figures, and what counts as a failure."""

from __future__ import annotations

import io

from rich.console import Console

from node.devnet.display import LineDisplay, tables
from node.devnet.observer import Observation
from node.devnet.summary import failures, percentile
from pocl.v1.node_service_pb2 import NodeInfo
from pocl.v1.round_pb2 import SETTLED, TRAIN, VOID, RoundState, RoundSummary
from pocl.v1.rounds_service_pb2 import MinerView, RoundView
from pocl.v1.worker_service_pb2 import WorkerReport

ALICE, BOB = b"a" * 32, b"b" * 32
NAMES = {ALICE: "alice", BOB: "bob"}


def observation() -> Observation:
    """Return two ended rounds, the first settled and measured, the second void, and a third in TRAIN."""
    miners = [MinerView(miner=ALICE), MinerView(miner=BOB)]
    miners[0].proposal.block = 30
    seen = Observation(scanned=31)
    seen.ended[1] = RoundView(
        round=1, miners=miners, summary=RoundSummary(outcome=SETTLED, winners=[BOB], ended_ms=4200)
    )
    seen.ended[2] = RoundView(
        round=2, miners=miners, summary=RoundSummary(outcome=VOID, void_reason="nobody came")
    )
    seen.current = RoundView(round=3, miners=miners, state=RoundState(round=3, phase=TRAIN))
    seen.reports[1] = {"alice": WorkerReport(round=1, global_accuracy=0.75, train_ms=1500)}
    seen.infos["alice"] = NodeInfo(final_number=31, finality_ms=[10, 30])
    return seen


def printed(show: Observation, *later: Observation) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    display = LineDisplay(console, NAMES)
    for seen in (show, *later):
        display.show(seen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_each_ended_round_is_told_of_once() -> None:
    seen = observation()
    lines = printed(seen, seen)
    assert lines == [
        "round 1 settled: accuracy 0.750, winners bob, 4.2 s, training 1.5 s",
        "round 2 void: nobody came",
        "block 31: round 3 TRAIN",
    ]


def test_a_settled_round_waits_for_its_accuracy_and_is_not_forgotten() -> None:
    early, late = observation(), observation()
    early.reports.clear()
    assert [line.split(":")[0] for line in printed(early, late)] == [
        "round 2 void",
        "block 31",
        "round 1 settled",
    ]


def test_the_table_shows_rounds_who_has_delivered_nodes_and_finality() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(tables(observation(), NAMES, rounds=3))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for part in (
        "settled",
        "0.750",
        "bob",
        "void: nobody came",
        "TRAIN",
        "1/2 alice",
        "p50 10 ms, p99 30 ms",
    ):
        assert part in text


def test_percentiles_are_nearest_ranks() -> None:
    assert percentile([], 50) is None
    assert [percentile([1, 2, 3, 4], percent) for percent in (0, 50, 75, 99, 100)] == [1, 2, 3, 4, 4]


def test_what_counts_as_a_failure() -> None:
    good = {
        "agree": True,
        "finalized": {"number": 9},
        "nodes": [{"name": "alice", "finalized_hash": "0x01"}, {"name": "bob", "finalized_hash": "0x02"}],
        "rounds": [{"round": 1, "void": False}],
        "transfers": {"submitted": 8, "included": 8, "settled": 0},
    }
    assert failures(good) == []
    for change in (
        {"agree": False},
        {"rounds": [{"round": 1, "void": True}]},
        {"transfers": {"submitted": 8, "included": 7, "settled": 0}},
    ):
        assert len(failures(good | change)) == 1

"""Miners with data of their own train one model: the worked example with the real learner."""

from __future__ import annotations

import runpy
import sys

import numpy as np
import pytest

from node import chain_spec
from node.learning_task import parse_task, task_bytes
from node.worker.learning.architectures import architecture_of
from node.worker.learning.datasets import load_dataset
from node.worker.learning.learner import TaskLearner, _evaluation_part
from node.worker.learning.records import read_records
from node.worker.learning.trainer import KerasTrainer
from pallets.aggregation.fixed_point import fedavg
from tests.test_docs import ROOT

SPEC = chain_spec.load("tabular-own")
R = SPEC.genesis.round.test_records
MINERS = ("alice", "bob", "charlie", "dave")


@pytest.fixture(scope="module")
def miners(tmp_path_factory: pytest.TempPathFactory) -> list[TaskLearner]:
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["own_data.py", str(folder)])
        runpy.run_path(str(ROOT / "examples" / "own_data.py"), run_name="__main__")
    task = parse_task(task_bytes(SPEC.learning))
    trainer = KerasTrainer(architecture_of(task), task)
    return [
        TaskLearner(task, load_dataset(task, folder / name), trainer, index=index, miners=4, test_records=R)
        for index, name in enumerate(MINERS)
    ]


def test_four_miners_learn_what_none_of_them_could_show_the_others(miners: list[TaskLearner]) -> None:
    model = miners[0].initial_model()
    for round in (1, 2, 3):
        trained = [miner.train(model, round, lambda: False) for miner in miners]
        model = fedavg([result.weights for result in trained[:2]])
    # Each measures on what it holds out; those whose models were not averaged see that it serves them, too.
    accuracy = [miner.evaluate(model) for miner in miners]
    assert min(accuracy) > 0.85
    assert np.mean(accuracy) > 0.92


def test_nothing_held_out_is_shown_or_trained_on(miners: list[TaskLearner]) -> None:
    task = parse_task(task_bytes(SPEC.learning))
    for miner in miners:
        held_out = {record.tobytes() for record in _evaluation_part(task, miner._data).inputs}
        share = {record.tobytes() for record in miner.own_data()[0]}
        assert len(held_out) == 28
        assert not held_out & share
        rounds = miner.share_size // R
        shown = [read_records(miner.test_set(round, R)[0], task, R) for round in range(1, rounds + 1)]
        records = {record.tobytes() for record in np.concatenate(shown)}
        assert len(records) == rounds * R
        assert records <= share

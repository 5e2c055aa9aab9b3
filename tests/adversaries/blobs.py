"""Adversaries that withhold or spoil blobs. All else they do honestly."""

from __future__ import annotations

import safetensors.numpy

from pallets.offchain import Half, Learner, Miner
from pallets.offchain_protocols import Trained
from tests.round_network import MinerNode


def records_for_nobody(node: MinerNode, learner: Learner) -> Half:
    """Serve no test records."""
    node.answer = lambda data, asker: None if is_records(data) else data
    return Miner(node, learner)


def records_for_one(node: MinerNode, learner: Learner) -> Half:
    """Serve test records to the first other miner only."""
    node.answer = lambda data, asker: None if is_records(data) and asker != favourite(node) else data
    return Miner(node, learner)


def malformed_records(node: MinerNode, learner: Learner) -> Half:
    """Publish one test record too few."""
    return Miner(node, _OneRecordLess(learner))


def weights_for_nobody(node: MinerNode, learner: Learner) -> Half:
    """Serve no weights."""
    node.answer = lambda data, asker: data if is_records(data) else None
    return Miner(node, learner)


def weights_for_one(node: MinerNode, learner: Learner) -> Half:
    """Serve weights to the first other miner only."""
    node.answer = lambda data, asker: data if is_records(data) or asker == favourite(node) else None
    return Miner(node, learner)


def other_bytes_for_weights(node: MinerNode, learner: Learner) -> Half:
    """Answer every request for weights with the initial model: bytes that do not have that name."""
    node.answer = lambda data, asker: data if is_records(data) else learner.initial_model()
    return Miner(node, learner)


def favourite(node: MinerNode) -> bytes:
    """Return the account that a partial adversary serves."""
    return min(key.public for key in node.network.nodes if key != node.key)


def is_records(data: bytes) -> bool:
    """Tell test records from weights."""
    return list(safetensors.numpy.load(data)) == ["x"]


class _OneRecordLess:
    """A Learner that keeps a record of its test set to itself."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self.initial_model = learner.initial_model
        self.predict = learner.predict
        self.check_records = learner.check_records
        self.evaluate = learner.evaluate

    def train(self, *args: object) -> Trained:
        return self._learner.train(*args)

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        records, labels = self._learner.test_set(round, count)
        return safetensors.numpy.save({"x": safetensors.numpy.load(records)["x"][1:]}), labels

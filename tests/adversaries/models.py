"""Adversaries whose model is not what it seems."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from node.worker.behaviours import Seat
from node.worker.behaviours.knn import NearestNeighbour
from pallets.aggregation.fixed_point import read_model, write_model
from pallets.offchain import BlobUnavailable, Half, Learner, Miner, Trained
from tests.round_network import MinerNode


def nearest_neighbour(node: MinerNode, learner: Learner) -> Half:
    """Commit to an untrained model, answer by the nearest neighbour: the devnet's behaviour `knn`."""
    return NearestNeighbour(Seat.single(node, learner))


def nan_weights(node: MinerNode, learner: Learner) -> Half:
    """Train and predict honestly, but commit to weights with a NaN, which would spoil any average."""
    return Miner(node, _Spoiled(learner))


def deaf(node: MinerNode, learner: Learner) -> Half:
    """Fetch no records, so mark everybody unavailable, and so predict nothing that could be checked."""
    honest = node.fetch_blob

    def fetch(name: bytes, max_bytes: int, holder: bytes) -> bytes:
        if name not in node.blobs:
            raise BlobUnavailable(name.hex())
        return honest(name, max_bytes, holder)

    node.fetch_blob = fetch
    return Miner(node, learner)


class _Spoiled:
    """A Learner with two faces: the model it shows has a NaN, the one it predicts with has not."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._behind: dict[bytes, bytes] = {}
        self.initial_model = learner.initial_model
        self.test_set = learner.test_set
        self.check_records = learner.check_records
        self.evaluate = learner.evaluate

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        trained = self._learner.train(global_model, round, deadline)
        tensors = read_model(trained.weights)
        tensors["bias"] = np.full_like(tensors["bias"], np.nan)
        shown = write_model(tensors)
        self._behind[shown] = trained.weights
        return Trained(shown, trained.sample_count, trained.local_accuracy)

    def predict(self, weights: bytes, records: bytes) -> bytes:
        return self._learner.predict(self._behind.get(weights, weights), records)

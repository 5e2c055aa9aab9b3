"""Behaviours a worker can be started with."""

import numpy as np
import pytest

from node.worker.behaviours import BEHAVIOURS, behave
from tests.small_learner import MIRRORED, SmallLearner


def test_the_honest_behaviour_is_the_learner_itself():
    learner = SmallLearner(0)
    assert behave("honest", learner) is learner


def test_an_unknown_behaviour_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="may be one of " + ", ".join(BEHAVIOURS)):
        behave("nice", SmallLearner(0))


def test_the_nearest_neighbour_is_found_and_the_model_shown_is_untrained():
    learner = SmallLearner(0, kind=MIRRORED)
    cheat = behave("knn", learner)
    trained = cheat.train(learner.initial_model(), 1, lambda: False)
    assert trained.weights == learner.initial_model()
    records, labels = SmallLearner(1, kind=MIRRORED).test_set(1, 20)
    points, own = np.frombuffer(records[-20 * 32 * 4 :], np.float32).reshape(20, 32), learner.share
    nearest = ((points[:, None] - own[None]) ** 2).sum(axis=2).argmin(axis=1)
    answer = cheat.predict(trained.weights, records)
    assert answer == learner.labels[nearest].tobytes() == labels
    # It audits others as it should: by their models.
    other = learner.train(learner.initial_model(), 1, lambda: False).weights
    assert cheat.predict(other, records) == learner.predict(other, records)

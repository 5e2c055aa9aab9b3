"""The feed of round views: the newest counts, and a broken stream is taken up again."""

from collections.abc import Iterator
from threading import Thread

import pytest

from node.worker import view_feed
from node.worker.connection import Connection
from node.worker.view_feed import ViewFeed
from pocl.v1.round_pb2 import Phase
from tests.node.worker.fake_node import TOKEN, FakeNode, view
from tests.node.worker.tasks import DIGITS


@pytest.fixture
def node() -> Iterator[FakeNode]:
    node = FakeNode(DIGITS)
    yield node
    node.stop()


@pytest.fixture
def feed(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> Iterator[ViewFeed]:
    monkeypatch.setattr(view_feed, "FIRST_PAUSE_S", 0.01)
    connection = Connection(node.address, TOKEN)
    feed = ViewFeed(connection)
    yield feed
    feed.stop()
    connection.close()


def test_the_newest_is_taken_and_older_ones_are_skipped(feed: ViewFeed) -> None:
    for block in (1, 2, 3):
        feed._put(view(1, block))
    taken = feed.take()
    assert taken is not None
    assert taken.at_block == 3
    feed._put(view(1, 2))  # of a node that lags behind what it showed before
    feed._put(view(1, 4))
    taken = feed.take()
    assert taken is not None
    assert taken.at_block == 4


def test_a_broken_stream_is_subscribed_again(node: FakeNode, feed: ViewFeed) -> None:
    feed.start()
    for block in (1, 2):
        node.views.put(view(1, block))
        taken = feed.take()
        assert taken is not None
        assert taken.at_block == block
        node.views.put(None)
    node.views.put(view(2, 3))
    taken = feed.take()
    assert taken is not None
    assert taken.round == 2
    assert node.subscriptions == 3


def test_training_is_over_when_the_newest_view_says_so(feed: ViewFeed) -> None:
    assert not feed.training_is_over(1)
    feed._put(view(1, 1, Phase.TRAIN))
    assert not feed.training_is_over(1)
    feed._put(view(1, 2, Phase.PREDICT))
    assert feed.training_is_over(1)
    assert not feed.training_is_over(2)
    feed._put(view(2, 3, Phase.TRAIN))
    assert feed.training_is_over(1)
    assert not feed.training_is_over(2)


def test_stopping_ends_a_wait(feed: ViewFeed) -> None:
    feed.start()
    given: list[object] = []
    waiting = Thread(target=lambda: given.append(feed.take()))
    waiting.start()
    feed.stop()
    waiting.join(timeout=10)
    assert given == [None]

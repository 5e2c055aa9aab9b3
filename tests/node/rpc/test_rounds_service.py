"""RoundsService over a real channel."""

from __future__ import annotations

from node.rpc.feed import FinalFeed
from node.rpc.rounds_service import RoundsService
from pocl.extrinsics import u128_int
from pocl.v1.round_pb2 import PREDICT, TRAIN, Outcome
from pocl.v1.rounds_service_pb2 import ListSummariesRequest, SubscribeRoundsRequest
from tests.node.rpc.harness import ALICE, FakeCall, Node, refused
from tests.node.rpc.miner import MODEL_BLOB, Miner


def test_the_current_round_and_rounds_by_number(node: Node) -> None:
    assert node.client.round().round == 0  # before block 1
    block = node.author()
    view = node.client.round()
    assert (view.round, view.state.phase, view.at_block, view.at_block_hash) == (1, TRAIN, 1, block.hash)
    assert [miner.miner for miner in view.miners] == [ALICE.public]
    assert view == node.client.round(1)
    with refused("NOT_FOUND"):
        node.client.round(2)
    with refused("NOT_FOUND"):
        node.client.round(0)


def test_a_settled_round_has_books_and_a_summary(node: Node) -> None:
    node.author()
    Miner(node).play(1)
    node.author()
    view = node.client.round(1)
    assert view.summary.outcome == Outcome.SETTLED
    (miner,) = view.miners
    assert miner.proposal.sample_count == 100
    assert list(view.summary.attesters) == list(view.confirmed.winners) == [ALICE.public]
    assert miner.attestation.global_model == view.summary.global_model
    emission = node.config.chain.genesis.round.emission
    assert 0 < sum(u128_int(reward.amount) for reward in view.summary.rewards) <= emission
    assert node.client.blob(view.summary.global_model) == MODEL_BLOB
    assert node.client.round().round == 2


def test_summaries_come_in_pages(node: Node) -> None:
    node.author()
    miner = Miner(node)
    for number in (1, 2, 3):
        miner.play(number)
        node.author()
    assert [summary.round for summary in node.client.rounds()] == [1, 2, 3]
    rounds = node.client._connection.rounds
    page = rounds.ListSummaries(ListSummariesRequest(from_round=1, limit=2), timeout=20)
    assert ([summary.round for summary in page.summaries], page.next_round) == ([1, 2], 3)
    page = rounds.ListSummaries(ListSummariesRequest(from_round=3, limit=2), timeout=20)
    assert ([summary.round for summary in page.summaries], page.next_round) == ([3], 0)
    with refused("INVALID_ARGUMENT"):
        node.client._connection.call(rounds.ListSummaries, ListSummariesRequest(limit=257))


def test_a_subscriber_hears_of_changes(node: Node) -> None:
    node.author()
    views = node.client.follow_rounds(timeout_s=60)
    assert next(views).state.phase == TRAIN
    miner = Miner(node)
    miner.step("model_propose", "propose", miner.propose(1), 1)
    assert next(views).state.phase == PREDICT


def test_a_slow_subscriber_skips_to_the_newest_view(node: Node) -> None:
    feed = FinalFeed(node.chain.final_number)
    node.chain.on_final(lambda blocks: feed.advance(blocks[-1].header.number))
    views = RoundsService(node.context, feed).Subscribe(SubscribeRoundsRequest(), FakeCall())
    node.author()
    assert next(views).at_block == 1
    node.author(5)
    assert next(views).at_block == 6
    node.author()
    assert next(views).at_block == 7

"""Transfers: reserved, queued, dealt, settled or returned, paid."""

import pytest

from pallets.coin import Coin, queue
from pallets.coin import pallet as coin_pallet
from pallets.coin.queue import PAGE_SIZE
from pallets.system import System
from pocl.extrinsics import U128_MAX, u128, u128_int
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall, CoinEvent
from runtime.frame import GenesisError
from runtime.weights import BLOCK
from tests.pallets.coin.rounds import LEDGER_WITH_ROUNDS, step
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, EVE, RICH, TestChain

NOBODY = Keypair.from_uri("//Nobody")


@pytest.fixture
def chain() -> TestChain:
    return TestChain(pallets=LEDGER_WITH_ROUNDS)


def transfer(chain: TestChain, who: Keypair, amount: int, dest: Keypair = NOBODY) -> bytes:
    return chain.sign(who, "coin", "transfer", CoinCall.Transfer(dest=dest.public, amount=u128(amount)))


def cancel(chain: TestChain, who: Keypair, index: int) -> bytes:
    return chain.sign(who, "coin", "cancel", CoinCall.Cancel(index=index))


def balances(chain: TestChain, who: Keypair) -> tuple[int, int]:
    account = chain.pallet(System).account(who.public)
    return u128_int(account.free), u128_int(account.reserved)


def do(chain: TestChain, name: str, round: int, *who: Keypair, amount: int = 0) -> None:
    """Take a step of a round in a block of its own; nothing in it may fail."""
    chain.block(step(chain, name, round, who, amount))
    assert list(chain.failures()) == []


def dealt(chain: TestChain) -> list[list[tuple[int, int]]]:
    assignments = chain.pallet(Coin).Assignments.get().assignments
    return [[(part.start, part.end) for part in entry.ranges] for entry in assignments]


def pages(chain: TestChain) -> dict[int, int]:
    """Return how many transfers each page of the queue holds."""
    return {number: len(page.transfers) for number, page in chain.pallet(Coin).Queue.items()}


def settled(chain: TestChain) -> list[int]:
    return [event.index for event in chain.events(CoinEvent.TransferSettled)]


def test_a_transfer_is_reserved_dealt_settled_and_paid(chain: TestChain) -> None:
    block = chain.block(transfer(chain, ALICE, 500))
    (queued,) = chain.events(CoinEvent.TransferQueued)
    assert (queued.index, queued.sender, queued.dest) == (0, ALICE.public, NOBODY.public)
    free, reserved = balances(chain, ALICE)
    (fee,) = chain.events(CoinEvent.FeePaid)
    assert reserved == 500
    author_reward = u128_int(fee.amount) if block.header.author == ALICE.public else 0
    assert free == RICH - 500 - u128_int(fee.amount) + author_reward
    do(chain, "deal", 1, BOB, amount=10)
    assert dealt(chain) == [[(0, 1)]]
    do(chain, "settle", 1, BOB)
    (event,) = chain.events(CoinEvent.TransferSettled)
    assert (event.round, event.miner, event.dest) == (1, BOB.public, NOBODY.public)
    assert balances(chain, NOBODY) == (500, 0)
    assert balances(chain, ALICE)[1] == 0
    assert not chain.pallet(Coin).payouts_pending()


def test_dealing_is_oldest_first_in_the_order_of_the_miners_and_losers_return_to_the_front(
    chain: TestChain,
) -> None:
    chain.block(*(transfer(chain, ALICE, 1 + n) for n in range(7)))
    do(chain, "deal", 1, BOB, CHARLIE, DAVE, amount=2)
    assert dealt(chain) == [[(0, 2)], [(2, 4)], [(4, 6)]]
    do(chain, "settle", 1, CHARLIE)
    assert settled(chain) == [2, 3]
    # 0, 1, 4, 5 are back before 6, and go out before it.
    do(chain, "deal", 2, BOB, CHARLIE, amount=3)
    assert dealt(chain) == [[(0, 2), (4, 5)], [(5, 7)]]
    do(chain, "return_all", 2)
    assert settled(chain) == []
    # Those that are not dealt again keep waiting where they are.
    do(chain, "deal", 3, DAVE, amount=1)
    do(chain, "return_all", 3)
    do(chain, "deal", 4, DAVE, amount=100)
    assert dealt(chain) == [[(0, 2), (4, 7)]]


def test_transfers_are_dealt_in_equal_shares_below_the_bound(chain: TestChain) -> None:
    chain.block(*(transfer(chain, ALICE, 10) for _ in range(7)))
    do(chain, "deal", 1, BOB, CHARLIE, DAVE, amount=50)
    assert dealt(chain) == [[(0, 3)], [(3, 6)], [(6, 7)]]
    # What is settled and not paid yet is nobody's share any more.
    do(chain, "settle", 1, BOB)
    do(chain, "deal", 2, BOB, CHARLIE, amount=50)
    assert dealt(chain) == [[(3, 5)], [(5, 7)]]


def test_a_cancelled_transfer_leaves_a_hole_that_dealing_passes_over(chain: TestChain) -> None:
    chain.block(*(transfer(chain, ALICE, 10) for _ in range(5)))
    chain.block(cancel(chain, ALICE, 1), cancel(chain, ALICE, 3))
    assert [event.index for event in chain.events(CoinEvent.TransferCancelled)] == [1, 3]
    assert balances(chain, ALICE)[1] == 30
    do(chain, "deal", 1, BOB, CHARLIE, amount=2)
    assert dealt(chain) == [[(0, 1), (2, 3)], [(4, 5)]]
    do(chain, "return_all", 1)
    # Returned ones can be cancelled too.
    chain.block(cancel(chain, ALICE, 2))
    assert list(chain.failures()) == []
    do(chain, "deal", 2, BOB, amount=2)
    assert dealt(chain) == [[(0, 1), (4, 5)]]


def test_the_queue_packs_transfers_in_pages_that_shrink_and_go(chain: TestChain) -> None:
    count = 2 * PAGE_SIZE + 5
    chain.block(*(transfer(chain, ALICE, 1 + n) for n in range(count - 7)))
    chain.block(*(transfer(chain, ALICE, 1 + n) for n in range(count - 7, count)))
    coin = chain.pallet(Coin)
    assert pages(chain) == {0: PAGE_SIZE, 1: PAGE_SIZE, 2: 5}
    assert [u128_int(entry.amount) for entry in queue.transfers(coin.Queue)] == [1 + n for n in range(count)]
    # Out of the middle of a page, and a last page as a whole: the next transfer begins it anew.
    chain.block(*(cancel(chain, ALICE, index) for index in (3, *range(2 * PAGE_SIZE, count))))
    assert pages(chain) == {0: PAGE_SIZE - 1, 1: PAGE_SIZE}
    chain.block(transfer(chain, ALICE, 1))
    assert pages(chain) == {0: PAGE_SIZE - 1, 1: PAGE_SIZE, 2: 1}
    # A payout across pages leaves what is not the winner's.
    do(chain, "deal", 1, BOB, CHARLIE, amount=PAGE_SIZE)
    do(chain, "settle", 1, BOB)
    assert settled(chain) == [index for index in range(PAGE_SIZE + 1) if index != 3]
    assert pages(chain) == {1: PAGE_SIZE - 1, 2: 1}


def test_what_cannot_be_cancelled(chain: TestChain) -> None:
    chain.block(transfer(chain, ALICE, 10), transfer(chain, ALICE, 10))
    do(chain, "deal", 1, BOB, CHARLIE, amount=1)
    chain.block(cancel(chain, ALICE, 0), cancel(chain, EVE, 1), cancel(chain, ALICE, 2))
    assert list(chain.failures()) == ["coin.Dealt", "coin.NotSender", "coin.NotQueued"]
    do(chain, "settle", 1, BOB)
    chain.block(cancel(chain, ALICE, 0), cancel(chain, ALICE, 1))
    assert list(chain.failures()) == ["coin.NotQueued"]


def test_refused_transfers_name_their_error_and_keep_their_fee(chain: TestChain) -> None:
    def raw(dest: bytes, amount: bytes) -> bytes:
        return chain.sign(EVE, "coin", "transfer", CoinCall.Transfer(dest=dest, amount=amount))

    chain.block(
        transfer(chain, EVE, 0),
        transfer(chain, EVE, RICH),
        raw(NOBODY.public, b"\x01"),
        raw(b"\x01" * 31, u128(1)),
        author=ALICE,
    )
    assert list(chain.failures()) == [
        "coin.ZeroAmount",
        "coin.InsufficientBalance",
        "coin.MalformedAmount",
        "coin.MalformedAccount",
    ]
    fees = sum(u128_int(event.amount) for event in chain.events(CoinEvent.FeePaid))
    assert balances(chain, EVE) == (RICH - fees, 0)
    assert balances(chain, ALICE) == (RICH + fees, 0)
    assert chain.pallet(System).account(EVE.public).nonce == 4


def test_what_is_reserved_cannot_be_spent_again(chain: TestChain) -> None:
    chain.block(transfer(chain, EVE, RICH // 2 + 1), transfer(chain, EVE, RICH // 2))
    assert list(chain.failures()) == ["coin.InsufficientBalance"]
    assert balances(chain, EVE)[1] == RICH // 2 + 1


def test_a_full_queue_refuses_and_recovers(chain: TestChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coin_pallet, "MAX_QUEUED", 2)
    chain.block(*(transfer(chain, ALICE, 1) for _ in range(3)))
    assert list(chain.failures()) == ["coin.QueueFull"]
    do(chain, "deal", 1, BOB, amount=1)
    do(chain, "settle", 1, BOB)
    chain.block(transfer(chain, ALICE, 1))
    assert list(chain.failures()) == []


def test_paying_takes_no_more_weight_than_the_block_has_left(
    chain: TestChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.block(*(transfer(chain, ALICE, 1) for _ in range(5)))
    do(chain, "deal", 1, BOB, CHARLIE, amount=3)
    limits = chain.runtime.limits
    # Two and a half of them fit beside what an empty block weighs and the extrinsic that settles.
    room = limits.normal_weight + limits.operational_weight - BLOCK
    monkeypatch.setattr(coin_pallet, "PAY_WEIGHT", room * 2 // 5)
    do(chain, "settle", 1, BOB, CHARLIE)
    assert settled(chain) == [0, 1]
    assert chain.pallet(Coin).payouts_pending()
    # What another round settles meanwhile queues up behind.
    chain.block()
    assert settled(chain) == [2, 3]
    chain.block()
    assert settled(chain) == [4]
    assert not chain.pallet(Coin).payouts_pending()


def test_many_holes_do_not_make_one_block_heavy(chain: TestChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coin_pallet, "MAX_HOLES", 2)
    chain.block(*(transfer(chain, ALICE, 1) for _ in range(5)))
    chain.block(*(cancel(chain, ALICE, index) for index in (0, 1, 2)))
    do(chain, "deal", 1, BOB, amount=9)
    assert dealt(chain) == [[]]
    do(chain, "return_all", 1)
    do(chain, "deal", 2, BOB, amount=9)
    assert dealt(chain) == [[(3, 5)]]


def test_rewards_add_to_the_issuance_and_never_pass_a_u128(chain: TestChain) -> None:
    before = chain.pallet(Coin).TotalIssuance.get()
    do(chain, "mint", 1, NOBODY, amount=77)
    assert balances(chain, NOBODY) == (77, 0)
    assert chain.pallet(Coin).TotalIssuance.get() == before + 77
    do(chain, "mint", 2, NOBODY, amount=U128_MAX)
    assert chain.pallet(Coin).TotalIssuance.get() == U128_MAX
    minted = [u128_int(event.amount) for event in chain.events(CoinEvent.RewardMinted)]
    assert minted == [U128_MAX - before - 77]


def test_genesis_balances_must_fit_and_may_be_listed_twice() -> None:
    chain = TestChain(pallets=LEDGER_WITH_ROUNDS, config={"coin": {"balances": [(b"a" * 32, 1)] * 2}})
    assert chain.pallet(Coin).TotalIssuance.get() == 2
    with pytest.raises(GenesisError, match="u128"):
        TestChain(
            pallets=LEDGER_WITH_ROUNDS,
            config={"coin": {"balances": [(b"a" * 32, U128_MAX), (b"b" * 32, 1)]}},
        )

"""Whatever is done in whatever order, the coin pallet's books balance (try_state runs after every block)."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pallets.coin import Coin
from pallets.coin.ranges import append, contains, merged
from pallets.system import System
from pocl.extrinsics import u128, u128_int
from pocl.v1.coin_pb2 import CoinCall
from runtime.blocks import BlockLimits
from runtime.weights import BLOCK
from tests.pallets.coin.rounds import LEDGER_WITH_ROUNDS, step
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, TestChain

PEOPLE = (ALICE, EVE, FERDIE)
MINERS = (BOB, CHARLIE, DAVE)
# Room for a few payouts a block only, so that they pile up.
LIMITS = BlockLimits(normal_weight=BLOCK + 2000, operational_weight=0)

TRANSFERS = st.tuples(
    st.just("transfer"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(0, 10**18)
)
CANCELS = st.tuples(st.just("cancel"), st.sampled_from(PEOPLE), st.integers(0, 20))
ROUNDS = st.tuples(st.just("round"), st.integers(1, 4))
ENDS = st.tuples(st.just("end"), st.sets(st.sampled_from(MINERS)))
BLOCKS = st.lists(st.one_of(TRANSFERS, CANCELS, ROUNDS, ENDS), max_size=5)


def extrinsic(chain: TestChain, action: tuple) -> bytes:  # type: ignore[type-arg]
    kind, *rest = action
    open_round = chain.pallet(Coin).Assignments.exists()
    if kind == "transfer":
        who, dest, amount = rest
        return chain.sign(who, "coin", "transfer", CoinCall.Transfer(dest=dest.public, amount=u128(amount)))
    if kind == "cancel":
        who, index = rest
        return chain.sign(who, "coin", "cancel", CoinCall.Cancel(index=index))
    if kind == "round" and not open_round:
        return step(chain, "deal", 1, MINERS, rest[0])
    if kind == "end" and open_round:
        return step(chain, "settle" if rest[0] else "return_all", 1, rest[0])
    return step(chain, "mint", 1, (EVE,), 5)


def everything(chain: TestChain) -> int:
    accounts = (account for _, account in chain.pallet(System).Account.items())
    return sum(u128_int(account.free) + u128_int(account.reserved) for account in accounts)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(BLOCKS, max_size=12))
def test_the_books_balance_after_every_block(blocks: list) -> None:  # type: ignore[type-arg]
    chain = TestChain(pallets=LEDGER_WITH_ROUNDS, limits=LIMITS, check=False)
    for actions in blocks:
        # One action of a kind of round a block: they follow each other.
        seen: set[str] = set()
        extrinsics = []
        for action in actions:
            if action[0] in ("round", "end"):
                if "round" in seen:
                    continue
                seen.add("round")
            extrinsics.append(extrinsic(chain, action))
        chain.block(*extrinsics, refused=[])
        assert everything(chain) == chain.pallet(Coin).TotalIssuance.get()
    # Left alone, what is unpaid gets paid.
    for _ in range(30):
        chain.block()
    assert not chain.pallet(Coin).payouts_pending()


INDICES = st.sets(st.integers(0, 30))


def as_ranges(indices: set[int]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for index in sorted(indices):
        append(result, index)
    return result


@given(INDICES, INDICES)
def test_ranges_are_sets_of_indices(left: set[int], right: set[int]) -> None:
    right -= left
    union = merged(as_ranges(left), as_ranges(right))
    assert union == as_ranges(left | right)
    assert {index for index in range(31) if contains(union, index)} == left | right

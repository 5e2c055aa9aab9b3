"""The transaction pool under any sequence of events keeps its promises."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from node.pool import (
    AlreadyInPool,
    PoolEvent,
    PoolFull,
    PoolStatus,
    PoolTransaction,
    Underpriced,
)
from pocl.extrinsics import extrinsic_hash
from runtime.frame.errors import InvalidTransaction
from tests.node.pool_harness import ALICE, BOB, CAROL, Harness, normal, operational


class PoolMachine(RuleBasedStateMachine):
    """Random submissions and blocks: whatever comes, the pool keeps its rules and tells the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.harness = Harness(max_count=6, max_bytes=900, max_per_sender=4, operational_count=3)
        self.told: dict[bytes, PoolStatus] = {}
        self.harness.pool.subscribe(self.tell)

    def tell(self, event: PoolEvent) -> None:
        assert self.told.get(event.hash) is not event.status
        self.told[event.hash] = event.status

    @rule(
        signer=st.sampled_from([ALICE, BOB, CAROL]),
        nonce=st.integers(0, 6),
        tip=st.integers(0, 5),
        valid_until=st.integers(0, 8),
        size=st.sampled_from([0, 0, 0, 300]),
    )
    def submit(self, signer: bytes, nonce: int, tip: int, valid_until: int, size: int) -> None:
        self.attempt(normal(signer, nonce, tip, valid_until, size))

    @rule(
        signer=st.sampled_from([ALICE, BOB]),
        ahead=st.integers(0, 1),
        kind=st.sampled_from(["cast", "reveal"]),
    )
    def submit_operational(self, signer: bytes, ahead: int, kind: str) -> None:
        self.attempt(operational(signer, self.harness.ledger.round + ahead, kind))

    def attempt(self, data: bytes) -> None:
        before = self.harness.pool.ready(), dict(self.told)
        try:
            self.harness.submit(data)
        except (AlreadyInPool, Underpriced, PoolFull, InvalidTransaction):
            assert list(before[0]) == list(self.harness.pool.ready())
            assert before[1] == self.told

    @rule(count=st.integers(0, 5), next_round=st.booleans())
    def block(self, count: int, next_round: bool) -> None:
        included = self.harness.ready()[:count]
        self.harness.ledger.round += next_round
        for data in included:
            self.told.pop(extrinsic_hash(data), None)
        self.harness.block(*included)

    @invariant()
    def keeps_its_bounds(self) -> None:
        pool = self.harness.pool
        entries = [entry for entry in map(pool.get, self.told) if entry is not None]
        plain = [entry for entry in entries if not entry.operational]
        assert len(entries) == len(pool)
        assert len(plain) <= 6
        assert sum(len(entry.data) for entry in plain) <= 900
        assert len(entries) - len(plain) <= 3
        assert sum(len(entry.data) for entry in entries) == pool.stats.bytes

    @invariant()
    def told_the_truth(self) -> None:
        for hash, status in self.told.items():
            expected = self.harness.pool.status(hash) or PoolStatus.DROPPED
            assert status is expected

    @invariant()
    def a_block_of_all_that_is_ready_is_valid(self) -> None:
        nonces = dict(self.harness.ledger.nonces)
        ready: list[PoolTransaction] = list(self.harness.pool.ready())
        assert len(ready) == self.harness.pool.stats.ready
        for entry in ready:
            assert not entry.valid_until or entry.valid_until > self.harness.ledger.number
            if not entry.operational:
                assert entry.nonce == nonces.get(entry.signer, 0)
                nonces[entry.signer] = entry.nonce + 1


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

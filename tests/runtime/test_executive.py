"""The executive, over the ledger's pallets and one that has an operational call and can break."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.experiment.memory_chain import MemoryChainState
from pallets.coin import Coin
from pallets.system import System
from pallets.system.weights import REMARK
from pallets.validators import Validators
from pocl.extrinsics import extrinsic_hash, u128, u128_int
from pocl.hashing import ZERO_HASH, merkle_root
from pocl.v1.block_pb2 import Block, EventRecord
from pocl.v1.coin_pb2 import CoinCall, CoinEvent
from pocl.v1.extrinsic_pb2 import Extrinsic, Payload
from pocl.v1.round_pb2 import RoundCall, RoundEvent
from pocl.v1.system_pb2 import SystemCall, SystemEvent
from runtime import weights
from runtime.blocks import BlockLimits, header_hash
from runtime.codec import encode
from runtime.execution import DoesNotFit
from runtime.executive import Runtime
from runtime.frame import (
    GenesisError,
    InvalidBlock,
    InvalidTransaction,
)
from runtime.transactions import CallDefect
from tests.pallets.harness import ALICE, BOB, EVE, LEDGER, RICH, TestChain
from tests.runtime.toy_round import PALLETS, Round


@pytest.fixture
def chain() -> TestChain:
    return TestChain(pallets=PALLETS)


def remark(chain: TestChain, who=EVE, data: bytes = b"hi", **kwargs) -> bytes:  # type: ignore[no-untyped-def]
    return chain.sign(who, "system", "remark", SystemCall.Remark(remark=data), **kwargs)


def act(chain: TestChain, data: bytes, who=EVE) -> bytes:  # type: ignore[no-untyped-def]
    return chain.sign(who, "round", "act", SystemCall.Remark(remark=data))


def ready(chain: TestChain, who=ALICE, round: int = 1, **kwargs) -> bytes:  # type: ignore[no-untyped-def]
    return chain.sign(who, "round", "ready", RoundCall.Ready(), round=round, **kwargs)


def weight_of(chain: TestChain, data: bytes) -> int:
    return chain.validate(data).weight


def free(chain: TestChain, who=EVE) -> int:  # type: ignore[no-untyped-def]
    return u128_int(chain.pallet(System).account(who.public).free)


def test_genesis_is_block_0_closes_epoch_0_and_binds_every_entry() -> None:
    chain = TestChain(pallets=PALLETS)
    header = chain.head.header
    assert (header.number, header.epoch, header.view) == (0, 0, 0)
    assert (header.parent_hash, header.author) == (ZERO_HASH, bytes(32))
    assert header.next_epoch.epoch == 1
    assert list(header.next_epoch.validators) == [keypair.public for keypair in chain.validators]
    assert chain.genesis_hash == header_hash(header)
    assert chain.head.tree.root == header.state_root
    assert TestChain(pallets=PALLETS).genesis_hash == chain.genesis_hash
    assert TestChain(pallets=PALLETS, balances={EVE: RICH + 1}).genesis_hash != chain.genesis_hash
    with pytest.raises(GenesisError, match="nosuch"):
        chain.runtime.build_genesis({"nosuch": {}}, 0)


def test_a_block_has_the_roots_and_phases_of_what_it_did(chain: TestChain) -> None:
    data = [remark(chain), ready(chain), act(chain, b"x", BOB)]
    extrinsics_weight = sum(weight_of(chain, extrinsic) for extrinsic in data)
    block = chain.block(*data)
    header = block.header
    assert header.extrinsics_root == merkle_root(data)
    assert header.events_root == merkle_root([encode(event) for event in block.events])
    assert header.parent_hash == chain.genesis_hash
    by_extrinsic = [
        (event.extrinsic_index, event.name)
        for event in block.events
        if event.phase == EventRecord.APPLY_EXTRINSIC
    ]
    assert by_extrinsic == [
        (0, "FeePaid"),
        (0, "ExtrinsicSuccess"),
        (1, "MinerReady"),
        (1, "ExtrinsicSuccess"),
        (2, "MinerReady"),
        (2, "FeePaid"),
        (2, "ExtrinsicSuccess"),
    ]
    assert block.weight == weights.BLOCK + extrinsics_weight


def test_fees_go_to_the_author_and_tips_with_them(chain: TestChain) -> None:
    first, second = remark(chain), remark(chain, tip=1000)
    chain.block(first, second, author=ALICE)
    fees = [
        1_000_000 + 10_000 * len(data) + 10_000 * (REMARK + weights.extrinsic(len(data))) + tip
        for data, tip in ((first, 0), (second, 1000))
    ]
    assert [u128_int(event.amount) for event in chain.events(CoinEvent.FeePaid)] == fees
    assert free(chain) == RICH - sum(fees)
    assert free(chain, ALICE) == RICH + sum(fees)
    assert chain.pallet(System).account(EVE.public).nonce == 2


def test_a_failing_normal_call_keeps_fee_and_nonce_and_undoes_its_writes(chain: TestChain) -> None:
    data = chain.sign(EVE, "coin", "transfer", CoinCall.Transfer(dest=BOB.public, amount=u128(RICH)))
    block = chain.block(data)
    (failed,) = chain.events(SystemEvent.ExtrinsicFailed)
    assert (failed.pallet, failed.error) == ("coin", "InsufficientBalance")
    assert not chain.events(CoinEvent.TransferQueued)
    assert not chain.events(SystemEvent.ExtrinsicSuccess)
    assert free(chain) == RICH - u128_int(failed.fee)
    assert chain.pallet(System).account(EVE.public).nonce == 1
    assert chain.pallet(Coin).NextIndex.get() == 0
    assert block.block.extrinsics == [data]
    # Also what a call did before it was refused.
    chain.block(act(chain, b"refuse"))
    assert list(chain.failures()) == ["round.Twice"]
    assert chain.events(RoundEvent.MinerReady) == []
    assert ZERO_HASH not in chain.pallet(Round).Ready


def test_a_failing_operational_call_makes_a_block_invalid(chain: TestChain) -> None:
    assert chain.validate(ready(chain)).operational
    chain.block(ready(chain))
    again = ready(chain)
    refusal = chain.refusal(again)
    assert isinstance(refusal, InvalidTransaction)
    assert (refusal.code, refusal.label) == ("call", "round.Twice")
    with pytest.raises(InvalidTransaction) as caught:
        chain.validate(again)
    assert caught.value.label == "round.Twice"
    with pytest.raises(InvalidBlock, match=r"extrinsic 0.*Twice"):
        execute_with(chain, [again])


def execute_with(chain: TestChain, extrinsics: list[bytes]) -> None:
    """Execute an honest empty block into which somebody put extrinsics."""
    block = Block()
    block.CopyFrom(chain.propose().block)
    block.extrinsics.extend(extrinsics)
    chain.runtime.execute(chain.state, chain.head.header, chain.genesis_hash, block)


def test_a_defect_in_a_call_is_no_dispatch_error(chain: TestChain) -> None:
    data = act(chain, b"break")
    refused: list = []  # type: ignore[type-arg]
    block = chain.propose(data, remark(chain, BOB), refused=refused)
    assert block.block.extrinsics == [remark(chain, BOB, nonce=0)]
    ((_, error),) = refused
    assert isinstance(error, CallDefect)
    assert isinstance(error.__cause__, KeyError)
    assert error.code == "defect"
    # It leaves no trace: not the fee, not the nonce, not what the call wrote before it broke.
    assert "MinerReady" not in [event.name for event in block.events]
    assert block.changes.keys() == chain.propose(remark(chain, BOB, nonce=0)).changes.keys()
    with pytest.raises(InvalidBlock, match=r"round\.act failed: KeyError"):
        execute_with(chain, [data])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda header: setattr(header, "number", 2), "number"),
        (lambda header: setattr(header, "parent_hash", b"x" * 32), "parent hash"),
        (lambda header: setattr(header, "timestamp_ms", header.timestamp_ms - 1000), "timestamp"),
        (lambda header: setattr(header, "epoch", 2), "its epoch is 2, it must be 1"),
        (lambda header: setattr(header, "author", EVE.public), "author"),
        (lambda header: setattr(header, "state_root", b"x" * 32), "state_root"),
        (lambda header: setattr(header, "extrinsics_root", b"x" * 32), "extrinsics_root"),
        (lambda header: setattr(header, "events_root", b""), "events_root"),
        (lambda header: header.next_epoch.SetInParent(), "closes none"),
    ],
)
def test_a_header_that_is_off_is_refused_by_its_rule(
    chain: TestChain, change: Callable[[object], None], match: str
) -> None:
    block = Block()
    block.CopyFrom(chain.propose(remark(chain)).block)
    change(block.header)
    with pytest.raises(InvalidBlock, match=match):
        chain.runtime.execute(chain.state, chain.head.header, chain.genesis_hash, block)


def test_a_closing_block_announces_exactly_the_next_epoch(chain: TestChain) -> None:
    closing = chain.propose(act(chain, b"close"))
    assert closing.header.next_epoch.epoch == 2
    assert list(closing.header.next_epoch.leaders) == [BOB.public]
    for change in (
        lambda header: header.ClearField("next_epoch"),
        lambda header: setattr(header.next_epoch, "seed", b"t" * 32),
    ):
        block = Block()
        block.CopyFrom(closing.block)
        change(block.header)
        with pytest.raises(InvalidBlock, match="next epoch"):
            chain.runtime.execute(chain.state, chain.head.header, chain.genesis_hash, block)
    chain.block(act(chain, b"close", BOB))
    assert chain.block().header.epoch == 2
    assert chain.pallet(Validators).members() == [keypair.public for keypair in chain.validators]


def change_payload(data: bytes, **fields: object) -> bytes:
    extrinsic = Extrinsic.FromString(data)
    payload = Payload.FromString(extrinsic.payload)
    for name, value in fields.items():
        if name in ("args", "function"):
            setattr(payload.call, name, value)
        else:
            setattr(payload, name, value)
    extrinsic.payload = encode(payload)
    return encode(extrinsic)


def test_every_way_to_be_invalid_has_its_code(chain: TestChain) -> None:
    chain.block(remark(chain))
    chain.block()
    good = remark(chain)
    resigned = Extrinsic.FromString(good)
    resigned.signature = bytes(64)
    poor = remark(chain, nonce=1, tip=RICH)
    cases = {
        "malformed": [
            b"",
            good + b"\x00",
            change_payload(good, tip=b"\x01"),
            change_payload(good, args=b"\xff"),
            change_payload(good, round=1),
            change_payload(ready(chain), nonce=1),
            change_payload(ready(chain), tip=u128(1)),
            encode(Extrinsic(payload=resigned.payload, signer=b"x", signature=bytes(64))),
        ],
        "unknown_call": [change_payload(good, function="nothing")],
        "bad_signature": [encode(resigned), change_payload(good, tip=u128(5))],
        "stale": [remark(chain, nonce=0), ready(chain, round=0)],
        "future": [remark(chain, nonce=2), ready(chain, round=2)],
        "expired": [remark(chain, valid_until=2)],
        "payment": [poor],
        "not_validator": [ready(chain, EVE)],
    }
    for code, extrinsics in cases.items():
        for data in extrinsics:
            refusal = chain.refusal(data)
            assert isinstance(refusal, InvalidTransaction)
            assert refusal.code == code, refusal
            if code == "future":
                assert chain.validate(data).future
                continue
            with pytest.raises(InvalidTransaction) as caught:
                chain.validate(data)
            assert caught.value.code == code
    assert not chain.validate(good).future
    assert not chain.validate(remark(chain, nonce=1, valid_until=3)).future


def test_what_the_pool_learns(chain: TestChain) -> None:
    data = remark(chain, tip=7, valid_until=9)
    found = chain.validate(data)
    assert (found.hash, found.signer) == (extrinsic_hash(data), EVE.public)
    assert (found.nonce, found.priority, found.valid_until) == (0, 7, 9)
    assert found.provides == EVE.public + bytes(8)
    operational = chain.validate(ready(chain))
    assert operational.priority > 2**128 - 1
    assert operational.provides == bytes(7) + b"\x01" + b"ready" + ALICE.public


def test_a_verified_signature_is_not_verified_again(chain: TestChain) -> None:
    calls: list[object] = []
    chain.runtime = chain.runtime.verifying_with(lambda *args: calls.append(args) is None)
    data = remark(chain)
    chain.validate(data, verified={extrinsic_hash(data)})
    assert calls == []
    chain.validate(data)
    assert len(calls) == 1


def test_each_class_has_space_of_its_own() -> None:
    chain = TestChain(pallets=PALLETS)
    refused: list = []  # type: ignore[type-arg]
    extrinsics = [remark(chain) for _ in range(5)] + [ready(chain), ready(chain, BOB), ready(chain)]
    remarks, readies = (weight_of(chain, extrinsics[place]) for place in (0, 5))
    chain.runtime.limits = BlockLimits(
        normal_weight=4 * remarks - 1, operational_weight=2 * readies, normal_bytes=10**4
    )
    block = chain.block(*extrinsics, refused=refused)
    assert list(block.block.extrinsics) == extrinsics[:3] + extrinsics[5:7]
    assert [type(error) for _, error in refused] == [DoesNotFit, DoesNotFit, DoesNotFit]
    too_long = remark(chain, data=bytes(10**4))
    assert isinstance(chain.refusal(too_long), DoesNotFit)
    with pytest.raises(InvalidTransaction, match="too large for any block"):
        chain.validate(too_long)
    with pytest.raises(InvalidBlock, match=f"weigh at most {4 * remarks - 1}"):
        execute_with(chain, [remark(chain, nonce=3 + n) for n in range(4)])


def test_a_proposal_stops_asking_when_nothing_fits() -> None:
    chain = TestChain(pallets=PALLETS)
    one = weight_of(chain, remark(chain, nonce=0))
    chain.runtime.limits = BlockLimits(normal_weight=one)
    asked = iter([remark(chain) for _ in range(50)])
    chain.propose(*[next(asked)])
    block = chain.runtime.propose(
        chain.state,
        chain.head.header,
        chain.genesis_hash,
        epoch=1,
        view=1,
        timestamp_ms=chain.head.header.timestamp_ms + 1,
        author=ALICE.public,
        extrinsics=(remark(chain, nonce=0) if n == 0 else data for n, data in enumerate(asked)),
    )
    assert len(block.block.extrinsics) == 1
    assert len(list(asked)) > 25


def test_a_dry_run_tells_and_writes_nothing(chain: TestChain) -> None:
    before = dict(chain.state.entries)
    run = lambda data: chain.runtime.dry_run(  # noqa: E731
        chain.state, chain.head.header, chain.genesis_hash, data
    )
    fine = run(remark(chain, nonce=0))
    assert (fine.ok, fine.error) == (True, "")
    assert fine.fee > 0
    assert [event.name for event in fine.events] == ["FeePaid", "ExtrinsicSuccess"]
    bad = run(
        chain.sign(EVE, "coin", "transfer", CoinCall.Transfer(dest=BOB.public, amount=u128(RICH)), nonce=0)
    )
    assert (bad.ok, bad.error) == (False, "coin.InsufficientBalance")
    with pytest.raises(InvalidTransaction):
        run(remark(chain, nonce=5))
    assert chain.state.entries == before


def test_a_newer_runtime_migrates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(Round, "on_runtime_upgrade", lambda self, before: seen.append(before) or 0)
    chain = TestChain(pallets=PALLETS, check=False)
    chain.block()
    assert seen == []
    chain.runtime = Runtime(PALLETS, spec_version=2, transaction_version=1)
    chain.block()
    chain.block()
    assert seen == [1]


def test_a_runtime_without_a_pallet_it_relies_on_is_refused() -> None:
    with pytest.raises(TypeError, match="validators"):
        Runtime(LEDGER[:2], spec_version=1, transaction_version=1)


def test_a_state_of_another_block_is_refused(chain: TestChain) -> None:
    block = chain.propose().block
    with pytest.raises(ValueError, match="state after block -1, not 0"):
        chain.runtime.execute(MemoryChainState(), chain.head.header, chain.genesis_hash, block)

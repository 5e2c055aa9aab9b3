"""The chain of a node, over a real database and a small runtime."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import chain as chain_module
from node import chain_spec
from node.chain import Chain, UnknownBlock, UnknownParent, open_chain
from node.chain_spec import ChainSpec
from node.errors import ChainSpecError, NodeStartError
from node.genesis import build_genesis, genesis_config
from pallets.system import System
from pocl.extrinsics import extrinsic_hash, u128_int
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from runtime.blocks import ExecutedBlock, header_hash
from runtime.certificates import CertificateError
from runtime.frame import InvalidBlock
from runtime.proof import verify_state_proof
from runtime.tree import prove
from tests.node.chain_harness import RUNTIME, act, certificate, close, open_at, propose
from tests.pallets.harness import ALICE, EVE


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    opened = open_at(tmp_path)
    yield opened
    opened.close()


def nonce_after(chain: Chain, hash: bytes) -> int:
    system = chain.pallets(chain.state_after(hash))["system"]
    assert isinstance(system, System)
    return system.account(EVE.public).nonce


def other_node(tmp_path: Path) -> Chain:
    return open_at(tmp_path / "other")


def test_blocks_that_are_not_final_are_layers_over_the_final_state(chain: Chain) -> None:
    one = propose(chain, chain.final_hash, act(0))
    two = propose(chain, one.hash, act(1), act(2))
    fork = propose(chain, one.hash, view=7)
    assert [nonce_after(chain, block.hash) for block in (one, two, fork)] == [1, 3, 1]
    assert nonce_after(chain, chain.final_hash) == 0
    assert chain.final_number == 0
    for block in (one, two, fork):
        state = chain.state_after(block.hash)
        assert state.version == block.header.number
        key = System.Account.prefix + EVE.public
        proof = prove(state, state.version, key, state.get(key))
        assert verify_state_proof(block.header.state_root, proof)
        entries = dict(state.iterate(b"system."))
        assert entries[key] == state.get(key)
        assert list(entries) == sorted(entries)


def test_finalize_writes_the_branch_and_drops_the_forks(chain: Chain) -> None:
    news: list[tuple[str, list[bytes]]] = []
    chain.on_final(lambda blocks: news.append(("final", [block.hash for block in blocks])))
    end = chain.on_best(lambda block: news.append(("best", [block.hash])))
    one = propose(chain, chain.final_hash, act(0))
    two = propose(chain, one.hash, act(1))
    three = propose(chain, two.hash)
    dead = propose(chain, one.hash, view=9)
    orphan = propose(chain, dead.hash)
    chain.set_best(orphan.hash)
    before = chain.state_after(chain.final_hash)
    assert chain.finalize(two.hash, certificate(two)) == [one, two]
    assert chain.finalize(two.hash, certificate(two)) == []
    assert (chain.final_number, chain.final_hash, chain.final) == (2, two.hash, two.header)
    assert [chain.executed(block.hash) for block in (one, two, three, dead, orphan)] == [
        None,
        None,
        three,
        None,
        None,
    ]
    assert chain.best_hash == two.hash
    assert news == [("best", [orphan.hash]), ("best", [two.hash]), ("final", [one.hash, two.hash])]
    end()
    chain.set_best(three.hash)
    assert len(news) == 3
    assert chain.best_header == three.header
    # What was read before stays as it was.
    assert (before.version, before.get(System.Number.prefix)) == (0, None)
    assert chain.block(one.hash) == one.block
    assert chain.justification(1) == Justification(descendants=[two.header], certificate=certificate(two))
    assert chain.database.extrinsic_location(extrinsic_hash(act(1))) == (2, 0)
    with pytest.raises(UnknownParent):
        chain.state_after(dead.hash)
    with pytest.raises(UnknownBlock):
        chain.finalize(dead.hash, certificate(dead))


def test_a_block_is_executed_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    one = propose(chain, chain.final_hash, act(0))
    monkeypatch.setattr(RUNTIME, "execute", lambda *args, **kwargs: pytest.fail("executed again"))
    assert chain.import_block(one.block) is one
    chain.finalize(one.hash, certificate(one))
    # A leader may propose what is final already.
    assert chain.import_block(one.block) is one
    changed = Block(header=one.header, extrinsics=[act(5)])
    with pytest.raises(InvalidBlock, match="extrinsics"):
        chain.import_block(changed)


def test_what_cannot_be_imported(chain: Chain, tmp_path: Path) -> None:
    other = other_node(tmp_path)
    one = propose(other, other.final_hash, act(0))
    two = propose(other, one.hash)
    with pytest.raises(UnknownParent):
        chain.import_block(two.block)
    bad = Block(header=one.header, extrinsics=[act(1)])
    with pytest.raises(InvalidBlock):
        chain.import_block(bad)
    assert not chain.known(one.hash)
    assert chain.import_block(one.block) == one
    assert chain.import_block(two.block) == two
    assert chain.known(one.hash)
    other.close()


def test_a_node_goes_on_where_it_stopped(tmp_path: Path) -> None:
    chain = open_at(tmp_path)
    one = propose(chain, chain.final_hash, close(0))
    chain.finalize(one.hash, certificate(one))
    chain.close()
    chain = open_at(tmp_path)
    assert (chain.final_number, chain.best_hash) == (1, one.hash)
    assert chain.epoch_change == one.header.next_epoch
    assert chain.epoch_change.epoch == 2
    two = propose(chain, one.hash, act(1))
    assert two.header.epoch == 2
    chain.finalize(two.hash, certificate(two))
    chain.close()


def build(chain: Chain, epochs: int) -> list[list[ExecutedBlock]]:
    """Let a chain grow by epochs of three blocks; return them."""
    made = []
    nonce = 0
    for _ in range(epochs):
        blocks = []
        for data in (act(nonce), act(nonce + 1), close(nonce + 2)):
            blocks.append(propose(chain, blocks[-1].hash if blocks else chain.final_hash, data))
        chain.finalize(blocks[-1].hash, certificate(blocks[-1]))
        nonce += 3
        made.append(blocks)
    return made


def test_a_new_node_follows_epoch_by_epoch(chain: Chain, tmp_path: Path) -> None:
    epochs = build(chain, 2)
    other = other_node(tmp_path)
    for blocks in epochs:
        justification = chain.justification(blocks[-1].header.number)
        assert justification is not None
        other.import_final([block.block for block in blocks], justification)
    assert other.final_hash == chain.final_hash
    assert other.epoch_change.epoch == 3
    assert other.final_state().get(System.Account.prefix + EVE.public) == chain.final_state().get(
        System.Account.prefix + EVE.public
    )
    assert other.justification(4) == chain.justification(4)
    other.close()


def test_sync_refuses_what_is_not_proven_final(chain: Chain, tmp_path: Path) -> None:
    first, second = ([block.block for block in blocks] for blocks in build(chain, 2))
    other = other_node(tmp_path)
    proof = chain.justification(3)
    assert proof is not None
    with pytest.raises(InvalidBlock, match="closes epoch 1"):
        other.import_final(first + second, chain.justification(6) or proof)
    with pytest.raises(UnknownParent):
        other.import_final(second, chain.justification(6) or proof)
    with pytest.raises(CertificateError):
        other.import_final(first[:2], proof)
    few = Justification(certificate=proof.certificate)
    few.certificate.signatures[0] = bytes(64)
    with pytest.raises(CertificateError):
        other.import_final(first, few)
    with pytest.raises(InvalidBlock, match="no child"):
        other.import_final([first[0], first[2]], proof)
    forged = [Block(header=first[0].header, extrinsics=[act(9)]), *first[1:]]
    with pytest.raises(InvalidBlock):
        other.import_final(forged, proof)
    assert other.final_number == 0
    # A run may end before the certified block, and go on later.
    other.import_final(first[:2], chain.justification(2) or proof)
    other.import_final(first[2:], proof)
    assert other.final_number == 3
    other.close()


def test_sync_refuses_another_epochs_blocks_before_it_executes_them(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = propose(chain, chain.final_hash, act(0))
    ahead = Block()
    ahead.CopyFrom(block.block)
    ahead.header.epoch = 2
    signed = dataclasses.replace(block, block=ahead, header=ahead.header, hash=header_hash(ahead.header))
    monkeypatch.setattr(RUNTIME, "execute", lambda *args, **kwargs: pytest.fail("it was executed"))
    with pytest.raises(InvalidBlock, match="of epoch 2, not 1"):
        chain.import_final([ahead], Justification(certificate=certificate(signed)))


def test_forks_are_bounded_and_the_best_branch_stays(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_module, "MAX_FORKS", 3)
    one = propose(chain, chain.final_hash, act(0))
    best = propose(chain, one.hash)
    chain.set_best(best.hash)
    forks = [propose(chain, one.hash, view=10 + n) for n in range(4)]
    child = propose(chain, forks[1].hash)
    more = [propose(chain, one.hash, view=20 + n) for n in range(6)]
    assert chain.executed(best.hash) is best
    assert chain.executed(more[-1].hash) is more[-1]
    assert chain.executed(forks[0].hash) is None
    # No child stays without its parent.
    assert chain.executed(child.hash) is None
    chain.finalize(best.hash, certificate(best))


def test_final_data_can_be_read_while_the_chain_goes_on(chain: Chain) -> None:
    failures: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            number = chain.final_number
            state = chain.final_state(number)
            account = state.get(System.Number.prefix)
            if number and int.from_bytes(account or b"", "big") != number:
                failures.append(f"state {number} says {account!r}")
            best = chain.state_after(chain.final_hash)
            if int.from_bytes(best.get(System.Number.prefix) or b"", "big") != best.version:
                failures.append(f"state after final {best.version}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for nonce in range(25):
            block = propose(chain, chain.final_hash, act(nonce))
            chain.finalize(block.hash, certificate(block))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []


@pytest.fixture(scope="module")
def spec() -> ChainSpec:
    return chain_spec.load("local")


def test_the_genesis_hash_binds_the_spec(spec: ChainSpec) -> None:
    genesis = build_genesis(spec)
    assert build_genesis(spec).hash == genesis.hash
    assert list(genesis.header.next_epoch.validators) == sorted(spec.genesis.validators)
    learning = dict(spec.learning) | {"seed": 77}
    rules = dataclasses.replace(spec.genesis.round, winners=1)
    others = [
        dataclasses.replace(spec, learning=learning),
        dataclasses.replace(spec, genesis=dataclasses.replace(spec.genesis, round=rules)),
        dataclasses.replace(spec, genesis=dataclasses.replace(spec.genesis, global_model=b"\x01" * 32)),
    ]
    assert len({genesis.hash, *(build_genesis(other).hash for other in others)}) == 4
    assert build_genesis(dataclasses.replace(spec, name="Other name")).hash == genesis.hash
    assert genesis_config(spec)["round"]["config"].emission == spec.genesis.round.emission.to_bytes(16, "big")


def test_open_chain_refuses_a_foreign_database_and_a_second_process(spec: ChainSpec, tmp_path: Path) -> None:
    chain = open_chain(spec, tmp_path)
    assert chain.final_number == 0
    with pytest.raises(NodeStartError):
        open_chain(spec, tmp_path)
    chain.close()
    other = dataclasses.replace(spec, learning=dict(spec.learning) | {"seed": 77})
    with pytest.raises(NodeStartError):
        open_chain(other, tmp_path)
    poor = dataclasses.replace(spec.genesis, balances=((ALICE.public, 2**128 - 1), (EVE.public, 1)))
    with pytest.raises(ChainSpecError, match="u128"):
        open_chain(dataclasses.replace(spec, genesis=poor), tmp_path)


def test_the_genesis_balances_are_there(spec: ChainSpec) -> None:
    genesis = build_genesis(spec)
    account, amount = spec.genesis.balances[0]
    from pocl.v1.system_pb2 import AccountInfo

    stored = genesis.changes[System.Account.prefix + account]
    info = AccountInfo.FromString(stored or b"")
    bond = spec.genesis.validator_rules.bond
    assert (u128_int(info.free), u128_int(info.reserved)) == (amount - bond, bond)

"""Data of nodes that were stopped: a long chain of the small runtime, and one of the development chain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import chain_spec
from node.chain import Chain, open_chain
from pallets.assembly import SPEC_VERSION, TRANSACTION_VERSION
from pocl.extrinsics import sign_call, u128
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.extrinsic_pb2 import Call
from runtime.certificates import make_certificate, vote_message
from tests.node.chain_harness import open_at
from tests.node.sync_harness import grow

BLOCKS = 34
"""Of the long chain: epochs of ten blocks, and some that others' certificates made final."""

DEV_BLOCKS = 22
"""Of the development chain: the first round finds no miner and closes with block DEV_CLOSING."""

DEV_CLOSING = 16
ALICE, BOB, EVE = (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Eve"))


def advance(chain: Chain, count: int) -> None:
    """Append blocks with a transfer each to a chain of the development spec, or of one with the same accounts."""
    account = chain.pallets(chain.final_state())["system"].account(EVE.public)  # type: ignore[attr-defined]
    for nonce in range(account.nonce, account.nonce + count):
        args = CoinCall.Transfer(dest=BOB.public, amount=u128(1000 + nonce))
        data = sign_call(
            EVE,
            Call(pallet="coin", function="transfer", args=args.SerializeToString(deterministic=True)),
            genesis_hash=chain.genesis_hash,
            spec_version=SPEC_VERSION,
            transaction_version=TRANSACTION_VERSION,
            nonce=nonce,
        )
        block = chain.propose(
            chain.final_hash,
            epoch=chain.epoch_change.epoch,
            view=chain.final_number + 1,
            timestamp_ms=chain.final.timestamp_ms + 4000,
            author=ALICE.public,
            extrinsics=[data],
        )
        header = block.header
        message = vote_message(chain.genesis_hash, header.epoch, header.view, FINALIZE, block.hash)
        votes = {0: ALICE.sign(message)}
        chain.finalize(
            block.hash, make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, 1)
        )


def make_dev(base_path: Path) -> None:
    """Make the data of a development node that is stopped."""
    chain = open_chain(chain_spec.load("dev"), base_path)
    advance(chain, DEV_BLOCKS)
    chain.close()


@pytest.fixture(scope="session")
def long_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the long chain; tests work on copies."""
    path = tmp_path_factory.mktemp("long") / "db"
    chain = open_at(path)
    grow(chain, BLOCKS, each=2)
    chain.close()
    return path


@pytest.fixture
def chain(long_data: Path, tmp_path: Path) -> Iterator[Chain]:
    """The long chain, opened, for one test."""
    shutil.copytree(long_data, tmp_path / "db")
    opened = open_at(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def dev_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base path of the development node; tests work on copies."""
    path = tmp_path_factory.mktemp("dev")
    make_dev(path)
    return path


@pytest.fixture
def dev(dev_data: Path, tmp_path: Path) -> Path:
    """A base path of the development node for one test."""
    return Path(shutil.copytree(dev_data, tmp_path / "dev"))

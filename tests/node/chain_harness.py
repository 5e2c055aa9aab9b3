"""Chains over a real database and a small runtime, moved by hand; shared by tests of what uses a chain."""

from __future__ import annotations

from pathlib import Path

from node.chain import Chain
from node.storage.database import Database
from pocl.extrinsics import sign_call
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE, Certificate
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.system_pb2 import SystemCall
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.executive import Runtime
from tests.pallets.harness import ALICE, EVE, GENESIS_MS, RICH, VALIDATORS, set_rules
from tests.runtime.toy_round import PALLETS

RUNTIME = Runtime(PALLETS, spec_version=1, transaction_version=1)
GENESIS = RUNTIME.build_genesis(
    {
        "coin": {"balances": [(keypair.public, RICH) for keypair in (EVE, *VALIDATORS)]},
        "validators": {
            "validators": [keypair.public for keypair in VALIDATORS],
            "config": set_rules(),
        },
    },
    GENESIS_MS,
)
SORTED = sorted(VALIDATORS, key=lambda keypair: keypair.public)


def open_at(path: Path) -> Chain:
    return Chain(RUNTIME, Database.open(path, GENESIS.hash), GENESIS)


def act(nonce: int, data: bytes = b"x", pallet: str = "system", function: str = "remark") -> bytes:
    return sign_call(
        EVE,
        Call(
            pallet=pallet,
            function=function,
            args=SystemCall.Remark(remark=data).SerializeToString(deterministic=True),
        ),
        genesis_hash=GENESIS.hash,
        spec_version=1,
        transaction_version=1,
        nonce=nonce,
    )


def close(nonce: int) -> bytes:
    return act(nonce, b"close", "round", "act")


def propose(chain: Chain, parent: bytes, *extrinsics: bytes, view: int = 0) -> ExecutedBlock:
    header = chain.header(parent)
    assert header is not None
    return chain.propose(
        parent,
        epoch=header.next_epoch.epoch or header.epoch,
        view=view or header.view + 1,
        timestamp_ms=header.timestamp_ms + 1000,
        author=ALICE.public,
        extrinsics=extrinsics,
    )


def certificate(block: ExecutedBlock, signers: list[Keypair] = SORTED[:3]) -> Certificate:
    header = block.header
    message = vote_message(GENESIS.hash, header.epoch, header.view, FINALIZE, block.hash)
    votes = {SORTED.index(keypair): keypair.sign(message) for keypair in signers}
    return make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, len(SORTED))

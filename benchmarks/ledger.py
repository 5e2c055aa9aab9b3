"""A chain with many accounts, and blocks of signed transfers among them: the workload of several parts.

It is the node's own runtime with one validator, whose key is //Alice. Senders and destinations are drawn from
all accounts with a fixed seed. Certificates are made with that one key, so they weigh nothing.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from node import chain_spec
from node.chain import Chain
from node.genesis import genesis_config
from node.storage.database import Database
from pallets.assembly import RUNTIME
from pocl.extrinsics import extrinsic_hash, sign_call, u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.consensus_pb2 import FINALIZE, Certificate
from pocl.v1.extrinsic_pb2 import Call
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.codec import encode

ACCOUNTS = 100_000
BALANCE = 10**18
ALICE = Keypair.from_uri("//Alice")


class Ledger:
    """The chain of a folder, at block 0 at first."""

    def __init__(self, folder: Path, accounts: int = ACCOUNTS) -> None:
        self.folder = folder
        self.keys = [Keypair(hash256("bench/account", b"%d" % number)) for number in range(accounts)]
        spec = chain_spec.load("dev")
        config = genesis_config(spec)
        balances = [(key.public, BALANCE) for key in self.keys]
        config["coin"] = {"balances": [*config["coin"]["balances"], *balances]}
        self.genesis = RUNTIME.build_genesis(config, spec.genesis.timestamp_ms)
        self._nonces = [0] * accounts
        self._random = random.Random(1)
        Database.open(folder, self.genesis.hash).close()
        self.open(folder).close()

    def open(self, folder: Path | None = None) -> Chain:
        """Return the chain of this folder, or of a copy of it."""
        folder = folder or self.folder
        return Chain(RUNTIME, Database.open(folder, self.genesis.hash), self.genesis)

    def copy(self, folder: Path) -> Chain:
        """Return the chain of a fresh copy of the folder."""
        shutil.copytree(self.folder, folder)
        return self.open(folder)

    def transfers(self, count: int) -> list[bytes]:
        """Return so many signed transfers, in an order in which all are valid."""
        return [self._transfer() for _ in range(count)]

    def _transfer(self) -> bytes:
        sender, dest = (self._random.randrange(len(self.keys)) for _ in range(2))
        args = CoinCall.Transfer(dest=self.keys[dest].public, amount=u128(self._random.randrange(1, 10**9)))
        self._nonces[sender] += 1
        return sign_call(
            self.keys[sender],
            Call(pallet="coin", function="transfer", args=encode(args)),
            genesis_hash=self.genesis.hash,
            spec_version=RUNTIME.spec_version,
            transaction_version=RUNTIME.transaction_version,
            nonce=self._nonces[sender] - 1,
        )

    def blocks(self, folder: Path, count: int, transfers: int) -> Iterator[Block]:
        """Yield the next blocks, made on a fresh copy in `folder`."""
        chain = self.copy(folder)
        for _ in range(count):
            extrinsics = self.transfers(transfers)
            verified = {extrinsic_hash(data) for data in extrinsics}
            made = propose(chain, extrinsics, verified)
            if len(made.block.extrinsics) != transfers:
                raise RuntimeError(f"{len(made.block.extrinsics)} of {transfers} transfers fit into a block")
            chain.finalize(made.hash, certificate(self.genesis.hash, made))
            yield made.block
        chain.close()


def propose(chain: Chain, extrinsics: list[bytes], verified: set[bytes]) -> ExecutedBlock:
    """Make the next block, a block interval after the last one."""
    return chain.propose(
        chain.final_hash,
        epoch=chain.epoch_change.epoch,
        view=chain.final_number + 1,
        timestamp_ms=chain.final.timestamp_ms + 250,
        author=ALICE.public,
        extrinsics=extrinsics,
        verified=verified,
    )


def certificate(genesis_hash: bytes, block: ExecutedBlock) -> Certificate:
    """Return the certificate that makes a block final."""
    header = block.header
    message = vote_message(genesis_hash, header.epoch, header.view, FINALIZE, block.hash)
    return make_certificate(header.epoch, header.view, FINALIZE, block.hash, {0: ALICE.sign(message)}, 1)

"""A chain that grows with rounds that settle: the node's own runtime on LevelDB, four validators, blocks of signed
transfers among many accounts.

Validators act as scripted miners, without models: a round lasts ROUND blocks and settles half of what is dealt, so
that the queue of transfers stays short however long the chain becomes. All accounts exist from block 0 on: what a
state holds at one height it holds, about, at any. Certificates carry the signatures of three of the four.
"""

from __future__ import annotations

from pathlib import Path

from node.chain import Chain
from node.storage.database import Database
from pallets.assembly import RUNTIME
from pallets.coin import Coin
from pocl.extrinsics import extrinsic_hash, sign_call, u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.consensus_pb2 import FINALIZE, Certificate
from pocl.v1.extrinsic_pb2 import Call
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.codec import encode
from tests.pallets.harness import GENESIS_MS, TestChain, set_rules
from tests.pallets.round.scripted import STEPS, Scripted, config

MINERS = sorted(
    (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie", "Dave")),
    key=lambda keypair: keypair.public,
)
ROUND = 25
"""Blocks of a round: one that opens it, and a step of all miners every fourth."""
_EVERY = 4
BALANCE = 10**18


def account(number: int) -> Keypair:
    """Return the key pair of account number `number`."""
    return Keypair(hash256("bench/rounds", b"%d" % number))


def genesis_block(accounts: int, per_miner: int = 10_000) -> ExecutedBlock:
    """Return block 0 of a chain with so many accounts, whose rounds deal so many transfers to a miner at most."""
    owners = [key.public for key in (*MINERS, *map(account, range(accounts)))]
    return RUNTIME.build_genesis(
        {
            "coin": {"balances": [(owner, BALANCE) for owner in owners]},
            "validators": {"validators": [miner.public for miner in MINERS], "config": set_rules()},
            "round": {"config": config(transfers_per_miner=per_miner)},
        },
        GENESIS_MS,
    )


def certificate(genesis_hash: bytes, block: ExecutedBlock) -> Certificate:
    """Return the certificate that makes a block final."""
    header = block.header
    message = vote_message(genesis_hash, header.epoch, header.view, FINALIZE, block.hash)
    votes = {index: miner.sign(message) for index, miner in enumerate(MINERS[:3])}
    return make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, len(MINERS))


class DiskChain(TestChain):
    """A TestChain whose blocks are a node's, in a folder; signatures of what it makes itself are not verified."""

    def __init__(self, folder: Path, genesis: ExecutedBlock) -> None:
        # What a TestChain makes of its own is a genesis in memory; this one has its genesis already.
        self.runtime = RUNTIME
        self.validators = MINERS
        self.keys = {miner.public: miner for miner in MINERS}
        self.genesis_hash = genesis.hash
        self.chain = Chain(RUNTIME, Database.open(folder, genesis.hash), genesis)
        self._signed = {}
        self._follow(genesis)

    def block(self, *extrinsics: bytes, **how: object) -> ExecutedBlock:
        """Make a block of these, all of which must fit and succeed, and make it final."""
        chain = self.chain
        parent = chain.final
        block = chain.propose(
            chain.final_hash,
            epoch=chain.epoch_change.epoch,
            view=parent.number + 1,
            timestamp_ms=parent.timestamp_ms + 1000,
            author=MINERS[parent.number % len(MINERS)].public,
            extrinsics=extrinsics,
            verified={extrinsic_hash(data) for data in extrinsics},
        )
        failed = list(self.failures(block))
        if len(block.block.extrinsics) != len(extrinsics) or failed:
            raise AssertionError(
                f"block {parent.number + 1} has {len(block.block.extrinsics)} of {len(extrinsics)}; {failed[:3]}"
            )
        chain.finalize(block.hash, certificate(self.genesis_hash, block))
        self._follow(block)
        return block

    def _follow(self, block: ExecutedBlock) -> None:
        self.blocks, self.head = [block], block
        self.state = self.chain.final_state()  # type: ignore[assignment]


class Growing:
    """A chain that grows by blocks of transfers."""

    def __init__(self, folder: Path, genesis: ExecutedBlock, accounts: int) -> None:
        self._disk = DiskChain(folder, genesis)
        self._rounds = Scripted(len(MINERS))
        self._rounds.chain = self._disk
        self._rounds.miners, self._rounds.accounts = MINERS, [miner.public for miner in MINERS]
        self._keys = [account(number) for number in range(accounts)]
        self._nonces = [0] * accounts
        self._made = 0
        self.chain = self._disk.chain

    @property
    def queued(self) -> int:
        """How many transfers the queue holds."""
        return int(self._disk.pallet(Coin).Queued.get())

    def grow(self, blocks: int, transfers: int) -> None:
        """Append final blocks of so many transfers each."""
        for number in range(self.chain.final_number + 1, self.chain.final_number + blocks + 1):
            self._disk.block(*self._miners_calls(number), *(self._transfer() for _ in range(transfers)))

    def close(self) -> None:
        """Close the database."""
        self.chain.close()

    def _miners_calls(self, number: int) -> list[bytes]:
        # Block 1 opens the first round, block 1 + ROUND the second.
        step, rest = divmod((number - 1) % ROUND, _EVERY)
        if rest or not step:
            return []
        return [getattr(self._rounds, STEPS[step - 1])(who) for who in range(len(MINERS))]

    def _transfer(self) -> bytes:
        # Steps that meet accounts all over the state in every block.
        sender, dest = (step * self._made % len(self._keys) for step in (7919, 6007))
        self._made += 1
        self._nonces[sender] += 1
        args = CoinCall.Transfer(dest=self._keys[dest].public, amount=u128(self._made))
        return sign_call(
            self._keys[sender],
            Call(pallet="coin", function="transfer", args=encode(args)),
            genesis_hash=self.chain.genesis_hash,
            spec_version=RUNTIME.spec_version,
            transaction_version=RUNTIME.transaction_version,
            nonce=self._nonces[sender] - 1,
        )

"""A chain in memory: the real runtime without consensus, network or disk. Every block is final at once.

    chain = MemoryChain(RUNTIME, build_genesis(spec), keys)
    data = chain.sign(key, "vote", "cast", VoteCall.Cast(...), round=3)
    chain.validate(data)
    chain.advance(chain.build([data], timestamp_ms=..., author=None, on_refused=...))
    chain.pallet(Coin).TotalIssuance.get()

Authors take turns. Experiments simulate rounds on it, and tests check pallets on it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from pallets.system import System
from pallets.validators import Validators
from pocl.extrinsics import sign_call
from pocl.keys import Keypair
from pocl.v1.extrinsic_pb2 import Call
from runtime.blocks import ExecutedBlock
from runtime.codec import encode
from runtime.executive import OnRefused, Runtime
from runtime.frame import Pallet
from runtime.state import MemoryState
from runtime.transactions import ValidTransaction

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=Pallet)


class MemoryChainState(MemoryState):
    """A VersionedState in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[bytes, bytes] = {}
        self.version = -1

    def get_node(self, key: bytes) -> bytes | None:
        """Return a node of the state tree, or None."""
        return self.nodes.get(key)

    def advance(self, block: ExecutedBlock) -> None:
        """Take in what a block did."""
        self.apply(block.changes)
        self.nodes.update(block.tree.nodes)
        for key in block.tree.stale:
            # Nobody reads an older version here: a tree that still needed this node would show it.
            self.nodes.pop(key)
        self.version = block.header.number


class MemoryChain:
    """Blocks on blocks. `keys` holds the validators' keys, in whose names blocks are made, and those of others."""

    def __init__(self, runtime: Runtime, genesis: ExecutedBlock, keys: Iterable[Keypair]) -> None:
        self.runtime = runtime
        self.keys = {keypair.public: keypair for keypair in keys}
        self.state = MemoryChainState()
        self.head = genesis
        self.genesis_hash = genesis.hash
        self._signed: dict[bytes, int] = {}
        self.advance(genesis)

    def pallets(self) -> Mapping[str, Pallet]:
        """Return all pallets bound to the state after the last block."""
        return self.runtime.bind(self.state, self.head.header, self.genesis_hash)

    def pallet(self, cls: type[P]) -> P:
        """Return a pallet bound to the state after the last block."""
        bound = self.pallets()[cls.name]
        assert isinstance(bound, cls)
        return bound

    def sign(
        self,
        who: Keypair,
        pallet: str,
        function: str,
        args: Message,
        *,
        round: int | None = None,
        nonce: int | None = None,
        tip: int = 0,
        valid_until: int = 0,
    ) -> bytes:
        """Return a signed call: operational with `round`, else normal with the account's next nonce."""
        if round is None and nonce is None:
            ahead = self._signed.get(who.public, 0)
            self._signed[who.public] = ahead + 1
            nonce = self.pallet(System).account(who.public).nonce + ahead
        return sign_call(
            who,
            Call(pallet=pallet, function=function, args=encode(args)),
            genesis_hash=self.genesis_hash,
            spec_version=self.runtime.spec_version,
            transaction_version=self.runtime.transaction_version,
            nonce=nonce,
            round=round,
            tip=tip,
            valid_until=valid_until,
        )

    def validate(self, data: bytes, verified: Container[bytes] = ()) -> ValidTransaction:
        """Validate an extrinsic on the state after the last block. Raise InvalidTransaction."""
        return self.runtime.validate_transaction(
            self.state, self.head.header, self.genesis_hash, data, verified=verified
        )

    def build(
        self,
        extrinsics: Sequence[bytes],
        *,
        timestamp_ms: int,
        author: bytes | None,
        on_refused: OnRefused,
        verified: Container[bytes] = (),
    ) -> ExecutedBlock:
        """Return a block on the last one, not applied; `author` None is the validator whose turn it is.

        `verified` holds the hashes of extrinsics whose signatures were found valid before.
        """
        parent = self.head.header
        if author is None:
            members = self.pallet(Validators).members()
            author = members[parent.number % len(members)]
        return self.runtime.propose(
            self.state,
            parent,
            self.genesis_hash,
            epoch=parent.next_epoch.epoch if parent.HasField("next_epoch") else parent.epoch,
            view=parent.number + 1,
            timestamp_ms=timestamp_ms,
            author=author,
            extrinsics=extrinsics,
            verified=verified,
            on_refused=on_refused,
        )

    def advance(self, block: ExecutedBlock) -> None:
        """Make a block of `build` the last one."""
        self.state.advance(block)
        self.head = block
        self._signed.clear()

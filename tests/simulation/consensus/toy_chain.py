"""A chain that costs nothing to execute: what agreement needs of blocks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from node.consensus.leaders import leader
from node.consensus.types import EpochInfo
from pocl.v1.block_pb2 import Block, EpochChange, Header
from runtime.blocks import extrinsics_root, header_hash

INVALID = b"invalid"
"""A block with this extrinsic executes nowhere."""

GENESIS_HASH = hashlib.blake2b(b"toy", digest_size=32).digest()


def account(index: int) -> bytes:
    """Return the account of a member, in ascending order."""
    return index.to_bytes(4, "big") + bytes(28)


@dataclass(frozen=True)
class ToyChain:
    """The rules: every `close_every`-th block closes an epoch, and with it the set may change."""

    members: int
    """Accounts that exist. With more than `validators`, each epoch leaves others out."""
    validators: int
    winners: int
    close_every: int

    def change(self, epoch: int) -> EpochChange:
        """Return set and leaders of an epoch."""
        left_out = {(epoch + i) % self.members for i in range(self.members - self.validators)}
        validators = [account(i) for i in range(self.members) if i not in left_out]
        turned = [validators[(epoch * 5 + i) % len(validators)] for i in range(self.winners)]
        return EpochChange(epoch=epoch, validators=validators, leaders=turned, seed=bytes(32))

    def genesis(self) -> Block:
        """Return block 0, which closes epoch 0."""
        return Block(header=Header(next_epoch=self.change(1), extrinsics_root=extrinsics_root([])))

    def build(
        self, parent: Header, epoch: int, view: int, author: bytes, timestamp_ms: int, extrinsics: list[bytes]
    ) -> Block:
        """Return a block on this parent."""
        number = parent.number + 1
        header = Header(
            parent_hash=header_hash(parent),
            number=number,
            epoch=epoch,
            view=view,
            timestamp_ms=max(timestamp_ms, parent.timestamp_ms + 1),
            author=author,
            extrinsics_root=extrinsics_root(extrinsics),
            next_epoch=self.change(epoch + 1) if number % self.close_every == 0 else None,
        )
        return Block(header=header, extrinsics=extrinsics)

    def fault(self, block: Block, parent: Header) -> str | None:
        """Return what is wrong with a block that claims to follow this parent."""
        if INVALID in block.extrinsics:
            return "an invalid extrinsic"
        header = block.header
        closes = header.number % self.close_every == 0
        epoch = parent.next_epoch.epoch if parent.HasField("next_epoch") else parent.epoch
        if header.number != parent.number + 1 or header.timestamp_ms <= parent.timestamp_ms:
            return "a wrong number or timestamp"
        if header.epoch != epoch or header.HasField("next_epoch") != closes:
            return "a wrong epoch"
        if closes and header.next_epoch != self.change(epoch + 1):
            return "another set than the rules say"
        if header.author != leader(self.info(epoch, header.parent_hash, header.number), header.view):
            return "another author than the leader of its view"
        return None

    def info(self, epoch: int, opening_hash: bytes, number: int) -> EpochInfo:
        """Return an epoch that begins on the block with this hash and number."""
        return EpochInfo.from_change(self.change(epoch), opening_hash, number)

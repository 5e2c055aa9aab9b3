"""The blocks above the last final one that a node has: which are executed, which wait for their parent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from node.consensus.types import EpochInfo
from pocl.v1.block_pb2 import Block


class Status(Enum):
    """How far a block is."""

    WAITING = "its parent is missing or not executed yet"
    CHECKING = "the driver executes it"
    VALID = "executed, every root equal"
    INVALID = "executed and refused"


@dataclass(slots=True)
class Candidate:
    """A block that is not final."""

    hash: bytes
    block: Block
    status: Status
    urgent: bool = False
    """A quorum has voted for it, and the driver knows."""

    @property
    def number(self) -> int:
        """The block's height."""
        return self.block.header.number

    @property
    def parent_hash(self) -> bytes:
        """The parent's hash."""
        return self.block.header.parent_hash

    @property
    def closing(self) -> bool:
        """Whether it closes the epoch: nothing but itself may follow it."""
        return self.block.header.HasField("next_epoch")

    def next_epoch(self) -> EpochInfo:
        """Return the epoch that a closing block announces."""
        header = self.block.header
        return EpochInfo.from_change(header.next_epoch, self.hash, header.number)


class BlockTree:
    """Candidates above the last final block, the root. The root itself is executed and does not close."""

    def __init__(self, root_hash: bytes, root_number: int) -> None:
        self.root_hash = root_hash
        self.root_number = root_number
        self._candidates: dict[bytes, Candidate] = {}

    def get(self, block_hash: bytes) -> Candidate | None:
        """Return a candidate; None for the root and for what is unknown."""
        return self._candidates.get(block_hash)

    def known(self, block_hash: bytes) -> bool:
        """Tell whether the block is the root or a candidate, in whatever status."""
        return block_hash == self.root_hash or block_hash in self._candidates

    def valid(self, block_hash: bytes) -> bool:
        """Tell whether the block is executed, and with it all its ancestors down to the root."""
        candidate = self._candidates.get(block_hash)
        return block_hash == self.root_hash or (candidate is not None and candidate.status is Status.VALID)

    def closes(self, block_hash: bytes) -> bool:
        """Tell whether the block is a closing one that is not final."""
        candidate = self._candidates.get(block_hash)
        return candidate is not None and candidate.closing

    def add(self, block: Block, block_hash: bytes, status: Status = Status.WAITING) -> None:
        """Take a block in, unless it is known or at or below the root's height."""
        if not self.known(block_hash) and block.header.number > self.root_number:
            self._candidates[block_hash] = Candidate(block_hash, block, status)

    def ready(self) -> list[Candidate]:
        """Return the blocks that can be executed now: those that wait and whose parent is valid."""
        return [
            candidate
            for candidate in self._candidates.values()
            if candidate.status is Status.WAITING and self.valid(candidate.parent_hash)
        ]

    def missing_ancestor(self, block_hash: bytes) -> bytes | None:
        """Return the hash of the nearest block that is lacking on the way from this one to the root."""
        while (candidate := self._candidates.get(block_hash)) is not None:
            block_hash = candidate.parent_hash
        return None if block_hash == self.root_hash else block_hash

    def set_root(self, block_hash: bytes, number: int) -> None:
        """Make a block the last final one and drop everything that cannot follow it."""
        self.root_hash, self.root_number = block_hash, number
        above = [c for c in self._candidates.values() if c.number > number]
        self._candidates = {c.hash: c for c in above}
        for candidate in sorted(above, key=lambda c: c.number):
            parent_known = self.known(candidate.parent_hash)
            # What was executed on a fork that lost is dropped; what still waits for its parent may wait on.
            if not parent_known and candidate.status is not Status.WAITING:
                del self._candidates[candidate.hash]

"""What a block is to the runtime: its hash and roots, its limits, and what executing it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pocl.hashing import hash256, merkle_root
from pocl.v1.block_pb2 import Block, EventRecord, Header
from runtime.codec import encode
from runtime.state import Changes, ReadState
from runtime.tree import NodeReader, TreeUpdate


class VersionedState(ReadState, NodeReader, Protocol):
    """The state after a block, and its tree."""

    @property
    def version(self) -> int:
        """The number of that block: the version of its tree."""


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """How much a block may hold. One unit of weight is a microsecond of one core of the reference machine, on
    which the pallets' weights were measured (docs/benchmarks.md, "Weights").

    Each class has space of its own, so that neither can crowd out the other. What an empty block, the
    extrinsics and on_initialize leave of both together is for on_idle. A full block is executed twice in a row,
    by its leader and then by all others at once: both fit into a heartbeat of the shipped chain specs.
    """

    normal_weight: int = 400_000
    normal_bytes: int = 1024 * 1024
    operational_weight: int = 400_000
    operational_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A valid block and all that its execution did: every root of its header was computed or compared."""

    block: Block
    hash: bytes
    header: Header
    changes: Changes
    """Net writes to the parent's state."""
    tree: TreeUpdate
    """New and stale nodes of the state tree; `tree.version` is the block's number."""
    events: tuple[EventRecord, ...]
    weight: int


def extrinsics_of(blocks: Iterable[ExecutedBlock]) -> Iterator[bytes]:
    """Yield what these blocks include, in order."""
    for executed in blocks:
        yield from executed.block.extrinsics


def header_hash(header: Header) -> bytes:
    """Return the hash of a block: BLAKE2b-256("pocl/header/1" || canonical Header)."""
    return hash256("pocl/header/1", encode(header))


def extrinsics_root(extrinsics: Sequence[bytes]) -> bytes:
    """Return the Merkle root of a block's extrinsics, in their order."""
    return merkle_root(extrinsics)


def events_root(events: Sequence[EventRecord]) -> bytes:
    """Return the Merkle root of the canonical event records, in their order."""
    return merkle_root([event.SerializeToString(deterministic=True) for event in events])

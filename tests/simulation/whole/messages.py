"""What nodes of the simulation say to each other beside the messages of agreement, and of themselves."""

from __future__ import annotations

from dataclasses import dataclass

from pocl.v1.network_pb2 import SyncRequest, SyncResponse


@dataclass
class Peer:
    """What a node knows of another one it is connected with (node.network.Peer)."""

    index: int
    validator: bytes
    final_number: int
    epoch: int
    charges: int = 0


@dataclass(frozen=True)
class Transactions:
    """A batch of gossip."""

    extrinsics: list[bytes]


@dataclass(frozen=True)
class SyncAsked:
    """A request for a page."""

    number: int
    request: SyncRequest


@dataclass(frozen=True)
class SyncAnswered:
    """The page."""

    number: int
    page: SyncResponse

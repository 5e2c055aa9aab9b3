"""What nodes of the simulation say to each other beside the messages of agreement, and of themselves."""

from __future__ import annotations

from dataclasses import dataclass

from pocl.v1.consensus_pb2 import Certificate


@dataclass
class Peer:
    """What a node knows of another one it is connected with (node.network.Peer)."""

    index: int
    validator: bytes
    final_number: int
    epoch: int
    begun: Certificate | None = None

    @property
    def peer_id(self) -> str:
        """Its name on the network."""
        return str(self.index)


@dataclass(frozen=True)
class Transactions:
    """A batch of gossip."""

    extrinsics: list[bytes]


@dataclass(frozen=True)
class SyncAsked:
    """A request for a page, encoded."""

    number: int
    request: bytes


@dataclass(frozen=True)
class SyncAnswered:
    """The page, encoded."""

    number: int
    page: bytes

"""Peers: libp2p host, notification protocols, requests, blobs, discovery (docs/protocol.md)."""

from node.network.service import Network
from node.network.types import Handlers, NetworkSettings, Peer, RequestFailed

__all__ = ["Handlers", "Network", "NetworkSettings", "Peer", "RequestFailed"]

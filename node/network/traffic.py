"""Bytes of the streams with peers, counted by protocol."""

from __future__ import annotations

from collections import Counter


class Traffic:
    """What was written to and read from streams since the node's start: frames and handshakes, as they are before
    they are multiplexed and encrypted. Both are keyed by the protocol's name (consensus, blocks, sync, ...), of
    which there are as many as this node speaks."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()


def protocol_name(protocol: str) -> str:
    """Return the name in a protocol id, /pocl/<genesis hex>/<name>/<version>."""
    return protocol.split("/")[3]

"""The state after a block that is not final yet: the writes of such blocks over the last final state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.blocks import ExecutedBlock, VersionedState
from runtime.state import Changes, Overlay

_ABSENT = object()


class LayeredState:
    """A VersionedState: layers of changes and tree nodes, newest first, over a base that is left as it is.

    A read looks into each layer before the base: there are as many as blocks that are not final, usually one
    to three.
    """

    def __init__(self, base: VersionedState, blocks: Sequence[ExecutedBlock] = ()) -> None:
        """`blocks` follow the base's block, oldest first."""
        self.version = blocks[-1].header.number if blocks else base.version
        self._base = base
        self._changes = [block.changes for block in reversed(blocks)]
        self._nodes = [block.tree.nodes for block in reversed(blocks)]

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        for changes in self._changes:
            value = changes.get(key, _ABSENT)
            if value is not _ABSENT:
                return value  # type: ignore[return-value]
        return self._base.get(key)

    def iterate(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of the keys that start with `prefix` and are above `after`, ascending."""
        merged = Overlay(self._base)
        for changes in reversed(self._changes):
            merged.changes.update((key, value) for key, value in changes.items() if key.startswith(prefix))
        return merged.iterate(prefix, after)

    def get_node(self, key: bytes) -> bytes | None:
        """Return the tree node stored under `key`, or None."""
        for nodes in self._nodes:
            data = nodes.get(key)
            if data is not None:
                return data
        return self._base.get_node(key)


class GrowingState(LayeredState):
    """The state after a run of blocks, to which more are added: one layer, however many they are."""

    def __init__(self, base: VersionedState) -> None:
        super().__init__(base)
        self._layer: Changes = {}
        self._layer_nodes: dict[bytes, bytes] = {}
        self._changes = [self._layer]
        self._nodes = [self._layer_nodes]

    def push(self, block: ExecutedBlock) -> None:
        """Add what the next block did."""
        self._layer.update(block.changes)
        self._layer_nodes.update(block.tree.nodes)
        self.version = block.header.number

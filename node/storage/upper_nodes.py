"""The upper nodes of the newest state tree, in memory: nearly every block reads and replaces most of them."""

from __future__ import annotations

from runtime.tree import UPPER_LEVELS, TreeUpdate
from runtime.tree.nodes import DEPTH_AT


class UpperNodes:
    """Nodes that commits wrote and no later one has replaced, down to depth UPPER_LEVELS: about 4 MB at most.

    Any thread may look into `nodes`: what is not there is in the database.
    """

    def __init__(self) -> None:
        self.nodes: dict[bytes, bytes] = {}

    def follow(self, tree: TreeUpdate) -> None:
        """Take in what a commit wrote, once it is on disk."""
        nodes = self.nodes
        for key in tree.stale:
            if key[DEPTH_AT] <= UPPER_LEVELS:
                nodes.pop(key, None)
        for key, node in tree.nodes.items():
            if key[DEPTH_AT] <= UPPER_LEVELS:
                nodes[key] = node

    def clear(self) -> None:
        """Forget all: blocks were taken back, and others may write other nodes under the same keys."""
        self.nodes = {}

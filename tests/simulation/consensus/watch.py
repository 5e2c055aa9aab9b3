"""What must hold at every step of a run over toy blocks."""

from __future__ import annotations

from pocl.v1.block_pb2 import Block, Header
from tests.simulation.consensus.toy_chain import ToyChain
from tests.simulation.watch import Violation, VoteWatch


class Watch(VoteWatch):
    """Sees as well every block that an honest validator makes final."""

    def __init__(self, chain: ToyChain, honest: set[int], accounts: dict[int, bytes]) -> None:
        super().__init__(honest, accounts)
        self._chain = chain
        self._final: dict[int, bytes] = {0: b""}

    def final(self, node: int, block: Block, block_hash: bytes, parent: Header) -> None:
        """A node made a block final."""
        number = block.header.number
        if self._final.setdefault(number, block_hash) != block_hash:
            raise Violation(f"two final blocks at height {number}: node {node} has another one")
        fault = self._chain.fault(block, parent)
        if fault is not None:
            raise Violation(f"node {node} made block {number} final: {fault}")

    @property
    def height(self) -> int:
        """The highest final block of any honest node."""
        return max(self._final)

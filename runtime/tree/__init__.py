"""The state tree: a Jellyfish Merkle tree of radix 16 with versioned nodes that are only ever appended.

runtime/proof.py defines its hashes, nodes.py how it is stored, update.py how a version follows another,
prove.py how a key is proven, range.py how a run of them is. The tree holds hashes of values; the values
themselves live elsewhere. A version is the number of the block after which the tree is as it is.
"""

from runtime.proof import EMPTY_ROOT
from runtime.tree.nodes import MissingNode, NodeReader, TreeUpdate, read_root, root_key
from runtime.tree.prove import prove
from runtime.tree.range import prove_range
from runtime.tree.update import UPPER_LEVELS, extend, update

__all__ = [
    "EMPTY_ROOT",
    "UPPER_LEVELS",
    "MissingNode",
    "NodeReader",
    "TreeUpdate",
    "extend",
    "prove",
    "prove_range",
    "read_root",
    "root_key",
    "update",
]

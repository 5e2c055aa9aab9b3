"""Making the proofs that runtime/proof.py verifies."""

from __future__ import annotations

from pocl.v1.proof_pb2 import StateProof
from runtime.proof import key_path, value_hash
from runtime.tree.branch import BRANCH, Branch
from runtime.tree.nodes import (
    LEAF,
    Leaf,
    NodeReader,
    child_key,
    decode_leaf,
    nibble_at,
    read_node,
    root_key,
)


def prove(reader: NodeReader, version: int, key: bytes, value: bytes | None) -> StateProof:
    """Return the proof that in the tree of `version` the key has this value, or None for its absence.

    Raise MissingNode when that version's nodes are not there, and ValueError when the tree says otherwise.
    """
    path = key_path(key)
    siblings: list[bytes] = []
    end = _descend(reader, version, path, siblings)
    proof = StateProof(key=key, siblings=reversed(siblings))
    found = end if end is not None and end.path == path else None
    if found is not None:
        if value is None or found.hashed_value != value_hash(value):
            raise ValueError(f"state tree: key 0x{key.hex()} has another value in version {version}")
        proof.exists, proof.value = True, value
    elif value is not None:
        raise ValueError(f"state tree: key 0x{key.hex()} has no value in version {version}")
    elif end is not None:
        proof.other_path, proof.other_value_hash = end.path, end.hashed_value
    return proof


def _descend(reader: NodeReader, version: int, path: bytes, siblings: list[bytes]) -> Leaf | None:
    """Return the leaf at the end of the search for `path`, None for an empty place; collect binary siblings
    from the root down."""
    data = read_node(reader, root_key(version))
    depth = 0
    while data[0] == BRANCH:
        branch, nibble = Branch.decode(data), nibble_at(path, depth)
        place = _descend_in_branch(branch, nibble, siblings)
        if place is None:
            return None
        data = read_node(reader, child_key(branch.versions[place], path, depth, place))
        depth += 1
    return decode_leaf(data) if data[0] == LEAF else None


def _descend_in_branch(branch: Branch, nibble: int, siblings: list[bytes]) -> int | None:
    """Walk the four binary levels towards `nibble`; return the child where the walk ends, None if it is
    empty.

    The walk ends early at a subtree that is empty or a single leaf: that leaf may be under another nibble.
    """
    levels = branch.levels()
    for height in range(4, -1, -1):
        hashes, single = levels[height]
        place = nibble >> height
        if not hashes[place]:
            return None
        if single[place]:
            start = place << height
            return next(leaf for leaf in range(start, start + (1 << height)) if branch.is_leaf(leaf))
        if height:
            siblings.append(levels[height - 1][0][(nibble >> (height - 1)) ^ 1])
    return nibble

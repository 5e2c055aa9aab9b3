"""Proofs of the state tree: how the tree is hashed, and what convinces somebody who only has its root.

The tree is a binary Merkle tree over the 256 bits of a key's path, most significant first, in which a subtree
with a single leaf is that leaf (Jellyfish Merkle tree; Gao, Hu and Wu, 2021):
    path(key)          = H(key)
    value hash         = H("pocl/state-value/1" || value)
    leaf               = H("pocl/state-leaf/1" || path || value hash)
    node(left, right)  = H("pocl/state-node/1" || left || right)
    empty subtree      = 32 zero bytes; so is the root of a state without keys
How nodes are grouped and stored (runtime/tree) is no concern of a verifier.

A proof names the place where the search for the path ends, by as many siblings as the place is deep. There is
- the key's own leaf: the key has this value; or
- another key's leaf, which shares the bits up to that depth: it is alone in that subtree, the key is absent;
  or
- an empty subtree: the key is absent.
Every proof has exactly one form: an empty sibling is written as no bytes, never as 32 zeros, and fields that
the form does not use are empty.
"""

from __future__ import annotations

from pocl.hashing import HASH_SIZE, ZERO_HASH, hash256
from pocl.v1.proof_pb2 import StateProof

EMPTY_ROOT = ZERO_HASH
"""The root of a state without keys, and the hash of any empty subtree."""

PATH_BITS = 8 * HASH_SIZE


def key_path(key: bytes) -> bytes:
    """Return the 32-byte path of a key: where its leaf lives."""
    # Without a domain: a path is never compared with any other hash.
    return hash256("", key)


def value_hash(value: bytes) -> bytes:
    """Return the hash by which a leaf commits to its value."""
    return hash256("pocl/state-value/1", value)


def leaf_hash(path: bytes, hashed_value: bytes) -> bytes:
    """Return the hash of the leaf at `path` (32 bytes) whose value has this hash."""
    return hash256("pocl/state-leaf/1", path, hashed_value)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a binary node that is neither empty nor a single leaf."""
    return hash256("pocl/state-node/1", left, right)


def verify_state_proof(root: bytes, proof: StateProof) -> bool:
    """Tell whether, under `root`, `proof.key` has `proof.value` (when `exists`) or is absent (when not)."""
    depth = len(proof.siblings)
    if depth > PATH_BITS or any(not _is_sibling(sibling) for sibling in proof.siblings):
        return False
    path = key_path(proof.key)
    node = _end_of_path(proof, path, depth)
    if node is None:
        return False
    bits = int.from_bytes(path, "big") >> (PATH_BITS - depth)
    for sibling in proof.siblings:
        other = sibling or EMPTY_ROOT
        node = node_hash(other, node) if bits & 1 else node_hash(node, other)
        bits >>= 1
    return node == root


def _is_sibling(sibling: bytes) -> bool:
    return not sibling or (len(sibling) == HASH_SIZE and sibling != EMPTY_ROOT)


def _end_of_path(proof: StateProof, path: bytes, depth: int) -> bytes | None:
    """Return the hash of what the proof claims to be at the path's end; None when it claims nothing sound."""
    if proof.exists:
        if proof.other_path or proof.other_value_hash:
            return None
        return leaf_hash(path, value_hash(proof.value))
    if proof.value:
        return None
    if not proof.other_path:
        return None if proof.other_value_hash else EMPTY_ROOT
    if len(proof.other_path) != HASH_SIZE or len(proof.other_value_hash) != HASH_SIZE:
        return None
    difference = int.from_bytes(path, "big") ^ int.from_bytes(proof.other_path, "big")
    # Differing, but not before the place: else the leaf would not be where the search for `path` ends.
    if difference == 0 or difference.bit_length() > PATH_BITS - depth:
        return None
    return leaf_hash(proof.other_path, proof.other_value_hash)

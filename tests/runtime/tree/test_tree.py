"""The state tree against a simple one, its proofs, and what it leaves behind."""

import random
from collections import ChainMap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocl.v1.proof_pb2 import StateProof
from runtime.proof import EMPTY_ROOT, key_path, leaf_hash, node_hash, value_hash, verify_state_proof
from runtime.tree import MissingNode, prove, read_root, update
from runtime.tree.branch import Branch, child_of, replace_child
from runtime.tree.nodes import stored_hash
from tests.runtime.tree.harness import Nodes, Tree, colliding_keys, model_root

KEYS = colliding_keys()
BATCHES = st.lists(
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from([None, b"", b"one", b"two"]), max_size=12),
    min_size=1,
    max_size=8,
)


def tree_of(count: int) -> Tree:
    tree = Tree()
    tree.commit({b"%d" % number: b"value %d" % number for number in range(count)})
    return tree


@given(BATCHES)
def test_every_version_has_the_root_of_the_naive_tree(batches: list[dict[bytes, bytes | None]]) -> None:
    tree = Tree()
    for batch in batches:
        tree.commit(batch)
    for version, entries in enumerate(tree.versions):
        root = tree.updates[version].root
        assert root == model_root(entries) == read_root(tree.nodes, version)
        assert tree.leaves(version) == {key_path(key): value_hash(value) for key, value in entries.items()}


@given(BATCHES)
def test_stale_is_exactly_what_a_version_stopped_using(batches: list[dict[bytes, bytes | None]]) -> None:
    tree = Tree()
    before: set[bytes] = set()
    for version, batch in enumerate(batches):
        made = tree.commit(batch)
        now = tree.reachable(version)
        assert len(made.stale) == len(set(made.stale))
        assert before - now == set(made.stale)
        assert now - before == set(made.nodes)
        before = now


@given(BATCHES, st.sampled_from(KEYS))
def test_every_key_is_proven_present_or_absent_at_every_version(
    batches: list[dict[bytes, bytes | None]], key: bytes
) -> None:
    tree = Tree()
    for batch in batches:
        tree.commit(batch)
    for version, entries in enumerate(tree.versions):
        proof = prove(tree.nodes, version, key, entries.get(key))
        assert proof.exists == (key in entries)
        assert verify_state_proof(tree.updates[version].root, proof)


FLIPS = st.tuples(st.integers(0, 1 << 16), st.integers(1, 255))


def tampered(proof: StateProof, position: int, mask: int) -> StateProof:
    """Return the proof with one byte changed, in one of its fields."""
    fields = [proof.key, proof.value, proof.other_path, proof.other_value_hash, *proof.siblings]
    place = position % max(1, sum(map(len, fields)))
    for index, field in enumerate(fields):
        if place < len(field):
            fields[index] = field[:place] + bytes([field[place] ^ mask]) + field[place + 1 :]
            break
        place -= len(field)
    key, value, other_path, other_value_hash, *siblings = fields
    return StateProof(
        key=key,
        exists=proof.exists,
        value=value,
        other_path=other_path,
        other_value_hash=other_value_hash,
        siblings=siblings,
    )


@given(BATCHES, st.sampled_from(KEYS), FLIPS)
def test_a_proof_with_any_byte_changed_proves_nothing_false(
    batches: list[dict[bytes, bytes | None]], key: bytes, flip: tuple[int, int]
) -> None:
    tree = Tree()
    for batch in batches:
        tree.commit(batch)
    entries, root = tree.versions[-1], tree.updates[-1].root
    other = tampered(prove(tree.nodes, len(batches) - 1, key, entries.get(key)), *flip)
    if verify_state_proof(root, other):
        # Only the key may have been changed, into one that is absent for the same reason.
        assert not other.exists
        assert other.key not in entries


@pytest.mark.parametrize("number", [0, 7, 299])
def test_claims_that_the_tree_does_not_make_are_refused(number: int) -> None:
    tree = tree_of(300)
    root, key, value = tree.updates[0].root, b"%d" % number, b"value %d" % number
    present = prove(tree.nodes, 0, key, value)
    siblings = list(present.siblings)
    absent = prove(tree.nodes, 0, b"absent %d" % number, None)
    neighbour = key_path(key)[:31] + bytes([key_path(key)[31] ^ 1])
    lies = [
        StateProof(key=key, siblings=siblings),
        StateProof(key=key, siblings=siblings, other_path=key_path(key), other_value_hash=value_hash(value)),
        StateProof(key=key, siblings=siblings, other_path=neighbour, other_value_hash=value_hash(value)),
        StateProof(key=key, siblings=siblings[1:]),
        StateProof(key=key, siblings=[b"", *siblings]),
        StateProof(key=absent.key, exists=True, siblings=absent.siblings),
        # Another encoding of what is true.
        StateProof(key=key, exists=True, value=value, siblings=siblings, other_value_hash=b"x"),
        StateProof(
            key=key, exists=True, value=value, siblings=[item or EMPTY_ROOT for item in siblings] + [b""]
        ),
        StateProof(
            key=absent.key,
            value=b"x",
            siblings=absent.siblings,
            other_path=absent.other_path,
            other_value_hash=absent.other_value_hash,
        ),
        StateProof(key=key, exists=True, value=value, siblings=[b"short", *siblings[1:]]),
        StateProof(key=key, siblings=[b""] * 257),
    ]
    assert verify_state_proof(root, present)
    assert verify_state_proof(root, absent)
    assert [verify_state_proof(root, lie) for lie in lies] == [False] * len(lies)


def test_an_empty_sibling_has_one_form() -> None:
    # Two neighbours, so that most siblings on their way are empty.
    tree = Tree()
    root = tree.commit({KEYS[0]: b"one", KEYS[1]: b"two"}).root
    proof = prove(tree.nodes, 0, KEYS[0], b"one")
    place = list(proof.siblings).index(b"")
    assert verify_state_proof(root, proof)
    proof.siblings[place] = EMPTY_ROOT
    assert not verify_state_proof(root, proof)


def test_a_leaf_where_no_search_for_it_ends_proves_nothing() -> None:
    key, path, other = b"key", key_path(b"key"), key_path(b"other")
    assert (path[0] ^ other[0]) & 0x80
    # A root that no tree has: the other leaf stands on this key's side.
    leaf, sibling = leaf_hash(other, value_hash(b"x")), b"s" * 32
    root = node_hash(sibling, leaf) if path[0] & 0x80 else node_hash(leaf, sibling)
    proof = StateProof(key=key, other_path=other, other_value_hash=value_hash(b"x"), siblings=[sibling])
    assert not verify_state_proof(root, proof)


def test_the_smallest_trees_are_as_defined() -> None:
    nodes = Nodes()
    assert update(nodes, None, {}, 0).root == EMPTY_ROOT == bytes(32)
    assert verify_state_proof(EMPTY_ROOT, StateProof(key=b"any"))
    one = update(nodes, None, {b"key": b"value"}, 0)
    assert one.root == leaf_hash(key_path(b"key"), value_hash(b"value"))
    nodes.update(one.nodes)
    assert verify_state_proof(one.root, prove(nodes, 0, b"key", b"value"))
    assert prove(nodes, 0, b"other", None).other_path == key_path(b"key")


def test_a_deletion_that_leaves_one_leaf_collapses_up_to_the_root() -> None:
    tree = Tree()
    alone = tree.commit({KEYS[0]: b"value"}).nodes
    # Two neighbours: a chain of branches down to where their paths part.
    deep = tree.commit({KEYS[1]: b"value"})
    assert len(deep.nodes) > 3
    back = tree.commit({KEYS[1]: None})
    assert list(back.nodes.values()) == list(alone.values())
    assert set(back.stale) == set(deep.nodes)


def test_a_version_without_changes_has_a_root_of_its_own() -> None:
    tree = tree_of(40)
    same = tree.commit({})
    again = tree.commit({b"3": b"value 3", b"no such key": None})
    assert same.root == again.root == tree.updates[0].root == read_root(tree.nodes, 2)
    assert len(same.nodes) == len(again.nodes) == 1
    emptied = tree.commit({b"%d" % number: None for number in range(40)})
    assert emptied.root == EMPTY_ROOT == tree.commit({}).root == read_root(tree.nodes, 4)


def test_a_batch_reads_and_writes_each_touched_node_once() -> None:
    tree = tree_of(3000)
    tree.nodes.reads = 0
    made = tree.commit({b"5": b"changed"})
    assert tree.nodes.reads == len(made.nodes) == len(made.stale) <= 6
    tree.nodes.reads = 0
    made = tree.commit({b"%d" % number: b"changed again" for number in range(0, 3000, 3)})
    assert tree.nodes.reads == len(made.nodes) == len(made.stale)


def test_two_children_of_one_parent_do_not_meet() -> None:
    tree = tree_of(50)
    left = update(tree.nodes, 0, {b"1": None, b"new": b"left"}, 1)
    right = update(tree.nodes, 0, {b"1": b"right"}, 1)
    entries = tree.versions[0]

    class Layer(ChainMap[bytes, bytes]):
        get_node = ChainMap.get

    without = {key: value for key, value in entries.items() if key != b"1"}
    for made, expected in ((left, without | {b"new": b"left"}), (right, entries | {b"1": b"right"})):
        layer = Layer(made.nodes, tree.nodes)
        assert made.root == model_root(expected)
        following = update(layer, 1, {b"2": None}, 2)
        del expected[b"2"]
        assert following.root == model_root(expected)


def test_pruning_stale_nodes_leaves_later_versions_whole() -> None:
    random_ = random.Random(1)
    tree = Tree()
    for _ in range(12):
        keys = random_.sample(KEYS, 8)
        tree.commit({key: random_.choice([None, b"x", b"y"]) for key in keys})
    for made in tree.updates[:8]:
        for key in made.stale:
            del tree.nodes[key]
    for version in range(7, 12):
        for key in KEYS:
            value = tree.versions[version].get(key)
            assert verify_state_proof(tree.updates[version].root, prove(tree.nodes, version, key, value))
    with pytest.raises(MissingNode, match="version 3"):
        read_root(tree.nodes, 3)
    with pytest.raises(MissingNode):
        update(tree.nodes, 3, {KEYS[0]: b"z"}, 4)


def test_wrong_uses_are_errors() -> None:
    tree = tree_of(5)
    with pytest.raises(ValueError, match="cannot follow"):
        update(tree.nodes, 0, {}, 0)
    with pytest.raises(ValueError, match="another value"):
        prove(tree.nodes, 0, b"1", b"something else")
    with pytest.raises(ValueError, match="another value"):
        prove(tree.nodes, 0, b"1", None)
    with pytest.raises(ValueError, match="no value"):
        prove(tree.nodes, 0, b"x", b"value")


HASHES = st.binary(min_size=32, max_size=32)
CHILDREN = st.dictionaries(st.integers(0, 15), st.tuples(st.integers(0, 2**64 - 1), HASHES, st.booleans()))
"""By nibble: version, hash, and whether it is a leaf."""


def branch_of(children: dict[int, tuple[int, bytes, bool]]) -> Branch:
    branch = Branch.empty()
    for nibble, child in children.items():
        branch.set_child(nibble, *child)
    branch.hash()
    return branch


@settings(max_examples=60)
@given(CHILDREN)
def test_a_branch_survives_its_bytes(children: dict[int, tuple[int, bytes, bool]]) -> None:
    branch = branch_of(children)
    decoded = Branch.decode(branch.encode())
    assert decoded.hash() == decoded.hash_anew() == branch.hash()
    assert decoded == branch


@given(CHILDREN, CHILDREN)
def test_a_changed_branch_has_the_hash_and_bytes_of_one_made_anew(
    children: dict[int, tuple[int, bytes, bool]], others: dict[int, tuple[int, bytes, bool]]
) -> None:
    branch = Branch.decode(branch_of(children).encode())
    gone = [nibble for nibble in children if nibble not in others]
    for nibble, child in others.items():
        branch.set_child(nibble, *child)
    for nibble in gone[::2]:
        branch.set_child(nibble, 0, b"", False)
        del children[nibble]
    anew = branch_of(children | others)
    assert branch.hash() == branch.hash_anew() == anew.hash()
    assert branch.encode() == anew.encode()


@given(CHILDREN.filter(lambda children: len(children) > 1), st.data(), HASHES)
def test_a_child_is_replaced_in_the_bytes_as_in_the_branch(
    children: dict[int, tuple[int, bytes, bool]], data: st.DataObject, hash: bytes
) -> None:
    nibble = data.draw(st.sampled_from(sorted(children)))
    version, _, leaf = children[nibble]
    stored = branch_of(children).encode()
    assert child_of(stored, nibble) == (version.to_bytes(8, "big"), leaf)
    absent = next((place for place in range(16) if place not in children), None)
    assert absent is None or child_of(stored, absent) == (b"", False)
    anew = branch_of(children | {nibble: (7, hash, leaf)})
    assert replace_child(stored, nibble, (7).to_bytes(8, "big"), hash) == (anew.encode(), anew.hash())


def test_a_stored_branch_whose_hashes_contradict_each_other_has_none() -> None:
    children = {nibble: (1, bytes([nibble]) * 32, nibble % 3 == 0) for nibble in range(0, 16, 2)}
    stored = branch_of(children).encode()
    assert stored_hash(stored) == branch_of(children).hash()
    for place in range(5 + 8 * len(children), len(stored)):
        changed = stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]
        assert stored_hash(changed) == b""

"""Runs of the state tree's entries and their proofs: whole, and refused when anything about them is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocl.v1.proof_pb2 import StateEntry, StateRange
from runtime.proof import EMPTY_ROOT, key_path
from runtime.range_proof import verify_range
from runtime.tree import extend, prove_range, update
from tests.runtime.tree.harness import Nodes, colliding_keys, model_root

KEYS = colliding_keys()
ZERO = bytes(32)

entries_ = st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=4))
starts = st.one_of(
    st.just(ZERO),
    st.binary(min_size=32, max_size=32),
    st.sampled_from(KEYS).map(key_path),
    st.sampled_from(KEYS).map(lambda key: after(key_path(key))),
)


def after(path: bytes) -> bytes:
    return (int.from_bytes(path, "big") + 1).to_bytes(32, "big")


def stored(entries: Mapping[bytes, bytes]) -> Nodes:
    nodes = Nodes()
    nodes.update(update(nodes, None, entries, 0).nodes)
    return nodes


def part_of(
    entries: Mapping[bytes, bytes], start: bytes, max_bytes: int, max_entries: int | None = None
) -> StateRange:
    return prove_range(stored(entries), 0, start, entries.get, max_bytes, max_entries)


@given(entries_, starts, st.integers(1, 200), st.none() | st.integers(1, 5))
def test_a_range_is_all_that_there_is_between_its_ends(
    entries: dict[bytes, bytes], start: bytes, max_bytes: int, max_entries: int | None
) -> None:
    part = part_of(entries, start, max_bytes, max_entries)
    assert verify_range(model_root(entries), part)
    assert max_entries is None or len(part.entries) <= max_entries
    end = None if part.last else key_path(part.entries[-1].key)
    expected = sorted(
        (key for key in entries if key_path(key) >= start and (end is None or key_path(key) <= end)),
        key=key_path,
    )
    assert [(entry.key, entry.value) for entry in part.entries] == [(key, entries[key]) for key in expected]


@given(entries_, st.integers(1, 60))
def test_ranges_in_a_row_give_the_whole_tree(entries: dict[bytes, bytes], max_bytes: int) -> None:
    source, copy, got = stored(entries), Nodes(), {}
    start, root, first = ZERO, EMPTY_ROOT, True
    while True:
        part = prove_range(source, 0, start, entries.get, max_bytes)
        assert verify_range(model_root(entries), part)
        came = {entry.key: entry.value for entry in part.entries}
        made = extend(copy, 0, came, first=first)
        for key in made.stale:
            del copy[key]
        copy.update(made.nodes)
        root, first = made.root, False
        got |= came
        if part.last:
            break
        start = after(key_path(part.entries[-1].key))
    assert got == entries
    assert root == model_root(entries)
    assert copy == source, "the tree that grew in parts is stored as the one that was made at once"


@given(st.data())
def test_no_entry_can_be_changed_left_out_added_or_moved(data: st.DataObject) -> None:
    entries = data.draw(entries_.filter(bool))
    start = data.draw(starts)
    part = part_of(entries, start, data.draw(st.integers(1, 200)))
    root = model_root(entries)
    forged = StateRange()
    forged.CopyFrom(part)
    kind = data.draw(st.sampled_from(["value", "missing", "extra", "order", "last", "start", "twice"]))
    count = len(part.entries)
    at = data.draw(st.integers(0, max(count - 1, 0)))
    if kind == "extra":
        key = data.draw(st.sampled_from(KEYS).filter(lambda key: key not in entries))
        added = sorted([*part.entries, StateEntry(key=key)], key=lambda entry: key_path(entry.key))
        del forged.entries[:]
        forged.entries.extend(added)
    elif kind == "last":
        forged.last = not part.last
        if forged.last:
            del forged.right[:]
    elif count == 0:
        return
    elif kind == "value":
        forged.entries[at].value += b"!"
    elif kind == "missing":
        del forged.entries[at]
    elif kind == "twice":
        forged.entries.insert(at, part.entries[at])
    elif kind == "order":
        if count < 2:
            return
        moved = list(reversed(part.entries))
        del forged.entries[:]
        forged.entries.extend(moved)
    else:
        # A start behind the first entry: that entry lies before it.
        forged.start = after(key_path(part.entries[0].key))
    if kind == "last" and forged.last and not any(key_path(key) > end_of(part) for key in entries):
        return
    # An empty range that does not say "last" says nothing; one with entries up to the true end does.
    if kind == "last" and not forged.last and count:
        assert verify_range(root, forged), "the last entry is a place to stop as any other"
        return
    assert not verify_range(root, forged)


def end_of(part: StateRange) -> bytes:
    return key_path(part.entries[-1].key) if part.entries else part.start


@given(st.data())
def test_an_outside_that_is_not_the_trees_gives_another_root(data: st.DataObject) -> None:
    entries = data.draw(st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=4), min_size=2))
    part = part_of(entries, data.draw(starts), data.draw(st.integers(1, 40)))
    outside = data.draw(st.sampled_from([part.left, part.right]))
    before = list(outside)
    kind = data.draw(st.sampled_from(["drop", "add", "flip", "empty", "cut"]))
    if kind == "add":
        outside.append(data.draw(st.sampled_from([b"", b"x", bytes(32), b"x" * 32, b"x" * 64])))
    elif not outside:
        return
    else:
        at = data.draw(st.integers(0, len(outside) - 1))
        if kind == "drop":
            del outside[at]
        elif kind == "empty":
            outside[at] = b""
        elif outside[at]:
            outside[at] = outside[at][:-1] + (bytes([outside[at][-1] ^ 1]) if kind == "flip" else b"")
    if list(outside) != before:
        assert not verify_range(model_root(entries), part)


def test_a_leaf_in_the_range_cannot_be_passed_off_as_outside() -> None:
    """The omission that a hash alone would allow: a leaf whose sibling is empty takes their parent's place."""
    key = next(key for key in KEYS if key_path(key)[0] >> 6 == 1)
    entries = {key: b"hidden"}
    root = model_root(entries)
    leaf = part_of(entries, after(key_path(key)), 1).left[-1]
    start = (1 << 254).to_bytes(32, "big")
    for shown in ([leaf], [b"", leaf], [root], [b"", root]):
        assert not verify_range(root, StateRange(start=start, last=True, left=shown))


@pytest.mark.parametrize("start", [b"", bytes(31), bytes(33)])
def test_a_start_is_a_path(start: bytes) -> None:
    assert verify_range(EMPTY_ROOT, StateRange(start=ZERO, last=True))
    assert not verify_range(EMPTY_ROOT, StateRange(start=start, last=True))

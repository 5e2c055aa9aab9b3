"""Bitmaps over owners, and the parts of predictions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pallets.prediction.owners import bitmap, flaw, is_bitmap, is_marked, join, part, removed_owners


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_a_bitmap_marks_what_it_was_made_of(case: tuple[int, set[int]]) -> None:
    count, marked = case
    data = bitmap(count, marked)
    assert is_bitmap(data, count)
    assert {index for index in range(count) if is_marked(data, index)} == marked


def test_the_bits_are_where_the_proto_says() -> None:
    assert bitmap(10, [0, 9]) == b"\x01\x02"


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00\x00", b"\x00\x04"])
def test_other_lengths_and_stray_bits_are_no_bitmap_over_ten(data: bytes) -> None:
    assert not is_bitmap(data, 10)


def test_bits_beyond_the_count_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no owner 3"):
        bitmap(3, [3])


def test_owners_marked_by_more_than_f_are_removed() -> None:
    bitmaps = [bitmap(4, marks) for marks in ([1, 2], [2], [0], [])]
    assert removed_owners(bitmaps, 4, 1) == [2]
    assert removed_owners(bitmaps, 4, 0) == [0, 1, 2]


def test_parts_and_their_flaws() -> None:
    predictions = join([None, b"\x00\x01", None, b"\x02\x02"], 2)
    assert part(predictions, 1, 2) == b"\x00\x01"
    marked = bitmap(4, [2])
    assert flaw(predictions, 0, marked, 4, 2, 3) == ""
    assert "owner 3" in flaw(predictions, 0, marked, 4, 2, 2), "a label beyond the classes"
    assert "owner 2" in flaw(predictions, 0, bitmap(4, []), 4, 2, 3), "left out without a mark"
    assert "owner 1" in flaw(predictions, 0, bitmap(4, [1, 2]), 4, 2, 3), "marked and yet predicted"
    assert "own part" in flaw(predictions, 1, bitmap(4, [0, 2]), 4, 2, 3)
    assert flaw(predictions[:-1] + b"\xff", 0, marked, 4, 2, 3), "half a part left out"

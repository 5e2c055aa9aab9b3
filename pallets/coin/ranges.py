"""Sets of queue indices as sorted lists of ranges [start, end) that neither overlap nor touch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from pocl.v1.coin_pb2 import IndexRange

Range = tuple[int, int]


def pairs(parts: Iterable[IndexRange]) -> list[Range]:
    """Return ranges as they are worked with."""
    return [(part.start, part.end) for part in parts]


def messages(parts: Iterable[Range]) -> list[IndexRange]:
    """Return ranges as the state has them."""
    return [IndexRange(start=start, end=end) for start, end in parts]


def merged(*lists: Iterable[Range]) -> list[Range]:
    """Return the union of the given ranges: sorted, and touching ones joined. None of them may overlap."""
    result: list[Range] = []
    for start, end in sorted(part for ranges in lists for part in ranges):
        if start >= end:
            continue
        if result and start < result[-1][1]:
            raise ValueError(f"range {start}..{end} overlaps {result[-1][0]}..{result[-1][1]}")
        if result and start == result[-1][1]:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def contains(ranges: Sequence[Range], index: int) -> bool:
    """Return whether a sorted list of ranges holds the index."""
    position = bisect_right(ranges, (index, 2**64)) - 1
    return position >= 0 and index < ranges[position][1]


def append(ranges: list[Range], index: int) -> None:
    """Add an index above all others to a sorted list of ranges."""
    if ranges and ranges[-1][1] == index:
        ranges[-1] = (ranges[-1][0], index + 1)
    else:
        ranges.append((index, index + 1))


class Walk:
    """Goes through the indices of sorted ranges."""

    def __init__(self, parts: Iterable[Range]) -> None:
        self._parts: Iterator[Range] = iter(parts)
        self._index = self._end = 0

    def next(self) -> int | None:
        """Return the next index, or None after the last."""
        while self._index >= self._end:
            part = next(self._parts, None)
            if part is None:
                return None
            self._index, self._end = part
        self._index += 1
        return self._index - 1

    def rest(self) -> list[Range]:
        """Return the ranges not visited yet, and end the walk."""
        return [part for part in ((self._index, self._end), *self._parts) if part[0] < part[1]]

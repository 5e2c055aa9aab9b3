"""The queue of transfers in the state, a page of them an entry: each in its own would be a leaf of the tree each.

Page p holds what is queued of the indices p * PAGE_SIZE to (p + 1) * PAGE_SIZE - 1, ascending; one that holds nothing
is not there. A new transfer has the highest index, so it is appended to the last page as bytes, at the same cost
however full that is. Whoever takes transfers out takes those of a range together, and rewrites each page once.
"""

from __future__ import annotations

from collections.abc import Iterator

from pocl.v1.coin_pb2 import QueuedTransfer, TransferPage
from runtime.frame import MapAccess

PAGE_SIZE = 32

Pages = MapAccess[int, TransferPage]


def append(pages: Pages, transfer: QueuedTransfer) -> None:
    """Queue a transfer whose index is above all others."""
    pages.append(transfer.index // PAGE_SIZE, TransferPage(transfers=(transfer,)))


def find(pages: Pages, index: int) -> QueuedTransfer | None:
    """Return the transfer of that index; None when it is not queued."""
    return next((transfer for transfer in _of(pages, index // PAGE_SIZE) if transfer.index == index), None)


def take(pages: Pages, start: int, end: int) -> list[QueuedTransfer]:
    """Take what is queued in [start, end) out of the queue, and return it in order."""
    taken: list[QueuedTransfer] = []
    for number in range(start // PAGE_SIZE, -(-end // PAGE_SIZE)):
        held = _of(pages, number)
        left = [transfer for transfer in held if not start <= transfer.index < end]
        if left:
            pages.put(number, TransferPage(transfers=left))
        else:
            pages.remove(number)
        taken += [transfer for transfer in held if start <= transfer.index < end]
    return taken


def transfers(pages: Pages) -> Iterator[QueuedTransfer]:
    """Yield all that is queued, in order."""
    for _, page in pages.items():
        yield from page.transfers


class Indices:
    """The indices that are queued. Who asks for one after the other reads each page once."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._number = -1
        self._held: set[int] = set()

    def __contains__(self, index: int) -> bool:
        number = index // PAGE_SIZE
        if number != self._number:
            self._number, self._held = number, {transfer.index for transfer in _of(self._pages, number)}
        return index in self._held


def _of(pages: Pages, number: int) -> list[QueuedTransfer]:
    page: TransferPage | None = pages.get(number)
    return [] if page is None else list(page.transfers)

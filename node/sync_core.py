"""Whom to ask for which final blocks, and what follows from the answers: catching up without I/O.

Peers with their heights go in, requests and penalties come out. node/sync.py sends and waits; the simulation of
whole networks (tests/simulation/whole) does so in virtual time, with the same code here.

Pages are fetched from several peers at once, one from each, up to `AHEAD` pages beyond the last final block, and
imported in order. The next page that is needed goes to the most promising peer; if that one takes its time,
another is asked as well. A peer whose page is wrong, empty or unanswered is charged, all that is held of it is
dropped, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from node import sync_pages
from node.chain import Chain, UnknownParent
from node.sync_pages import PAGE_BYTES, page_fault, runs_of
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from runtime.certificates import CertificateError
from runtime.frame import InvalidBlock

AHEAD = 4
"""Pages fetched or held at a time while nobody is slow."""

MAX_FLIGHTS = 8
MAX_HELD_BYTES = 32 * 2**20
"""With more than this in pages that wait for an earlier one, only that one is fetched."""

SLOW_S = 1.0
"""A page that is needed next and has not come by then is asked of another peer as well."""

_REST_S = 1.0
"""Who had nothing for us is left alone for so long, unless it says that it has more than it said then."""

BAD_PAGE = 50
_NO_ANSWER = 10

_NEVER = 2**64


class SyncPeer(Protocol):
    """What must be known of a peer."""

    @property
    def peer_id(self) -> str: ...

    @property
    def validator(self) -> bytes | None: ...

    @property
    def final_number(self) -> int:
        """The highest final block that it told of."""


P = TypeVar("P", bound=SyncPeer)


@dataclass(eq=False)
class _Flight:
    """A page on its way here."""

    start: int
    blocks: int
    since: float
    told: int
    """The peer's height, as it was known when it was asked."""


@dataclass(eq=False)
class _Page:
    """A page that waits for the one before it."""

    peer_id: str
    answer: SyncResponse
    size: int

    @property
    def first(self) -> int:
        return self.answer.blocks[0].header.number

    @property
    def last(self) -> int:
        return self.answer.blocks[-1].header.number


class SyncCore(Generic[P]):
    """Follows the highest final number among the peers."""

    def __init__(
        self,
        chain: Chain,
        *,
        margin: int,
        imported: Callable[[], None],
        penalize: Callable[[str, int, str], None],
        clock: Callable[[], float],
        page_blocks: int | None = None,
    ) -> None:
        """`margin`: how far behind a peer this node may be before it fetches blocks by itself. A validator in
        step gets its blocks from consensus. `imported` is called after every run of blocks, `penalize` with
        peer id, points and reason; `clock` counts seconds."""
        self._chain = chain
        self._margin = margin
        self._imported = imported
        self._penalize = penalize
        self._clock = clock
        self._page_blocks = page_blocks or sync_pages.PAGE_BLOCKS
        self._needed = False
        # Who was asked since the last block came, whatever it says of its height.
        self._asked: set[str] = set()
        self._hint: P | None = None
        self._flights: dict[str, _Flight] = {}
        self._pages: list[_Page] = []
        # Until when a peer is left alone, and the height above which it is not.
        self._resting: dict[str, tuple[float, int]] = {}

    @property
    def syncing(self) -> bool:
        """Whether blocks are being fetched."""
        return bool(self._flights or self._pages)

    def need(self, peer: P | None = None) -> None:
        """Consensus says that final blocks are missing here; `peer` seems to have them."""
        self._needed = True
        self._asked.clear()
        self._hint = peer or self._hint

    # Whom to ask for what.

    def plan(self, peers: Sequence[P]) -> list[tuple[P, SyncRequest]]:
        """Return whom to ask for which pages now. Each must be `answered` or `failed` some time."""
        planned = self._plan(peers)
        for peer, flight in planned:
            self._flights[peer.peer_id] = flight
            self._asked.add(peer.peer_id)
        if not self.syncing and not self._resting:
            self._needed = False
        return [
            (
                peer,
                SyncRequest(from_number=flight.start, max_blocks=flight.blocks, max_bytes=PAGE_BYTES),
            )
            for peer, flight in planned
        ]

    def _plan(self, peers: Sequence[P]) -> list[tuple[P, _Flight]]:
        now = self._clock()
        mine = at = self._chain.final_number
        planned: list[tuple[P, _Flight]] = []
        free = self._free_peers(peers, now)
        held = sum(waiting.size for waiting in self._pages)
        while at < mine + AHEAD * self._page_blocks and len(self._flights) + len(planned) < MAX_FLIGHTS:
            at += 1
            covered = self._covered_to(at, now)
            if covered is not None:
                at = covered
                continue
            if at > mine + 1 and held > MAX_HELD_BYTES:
                break
            peer = next((peer for peer in free if self._may_have(peer, at, mine)), None)
            if peer is None:
                break
            free.remove(peer)
            blocks = (
                min((waiting.first for waiting in self._pages if waiting.first > at), default=_NEVER) - at
            )
            planned.append((peer, _Flight(at, min(blocks, self._page_blocks), now, peer.final_number)))
            at += self._page_blocks - 1
        return planned

    def _free_peers(self, peers: Sequence[P], now: float) -> list[P]:
        """Return who can be asked, the most promising first.

        What a peer last told of its height can be old: validators hear of blocks through consensus and not
        through announcements. So when consensus misses blocks, everybody is asked.
        """
        hint, self._hint = self._hint, None
        if hint is not None:
            self._resting.pop(hint.peer_id, None)
        here = {peer.peer_id for peer in peers}
        self._resting = {
            peer_id: rest for peer_id, rest in self._resting.items() if peer_id in here and rest[0] > now
        }
        free = [
            peer
            for peer in peers
            if peer.peer_id not in self._flights
            and peer.final_number > self._resting.get(peer.peer_id, (0.0, -1))[1]
        ]
        # Anybody may claim any height, or hint, and keep who asks waiting: of the validators only f will.
        validators = self._chain.epoch_change.validators
        return sorted(
            free, key=lambda peer: (peer.validator not in validators, peer is not hint, -peer.final_number)
        )

    def _covered_to(self, number: int, now: float) -> int | None:
        """Return the last block of the page, here or on its way, that block `number` is in."""
        for waiting in self._pages:
            if waiting.first <= number <= waiting.last:
                return waiting.last
        for flight in self._flights.values():
            slow = flight.start == self._chain.final_number + 1 and now - flight.since >= SLOW_S
            if not slow and flight.start <= number < flight.start + flight.blocks:
                return flight.start + flight.blocks - 1
        return None

    def _may_have(self, peer: P, number: int, mine: int) -> bool:
        if number > mine + 1:
            return peer.final_number >= number
        if self._needed:
            return peer.final_number > mine or peer.peer_id not in self._asked
        return peer.final_number > mine + self._margin

    # What comes of it.

    def failed(self, peer: P) -> None:
        """Take in that a peer gave no answer."""
        del self._flights[peer.peer_id]
        self.drop(peer.peer_id, _NO_ANSWER, "no answer to a sync request")

    def answered(self, peer: P, answer: SyncResponse) -> None:
        """Take in a peer's page."""
        flight = self._flights.pop(peer.peer_id)
        start, told = flight.start, flight.told
        fault = page_fault(answer, start)
        if fault is not None:
            self.drop(peer.peer_id, BAD_PAGE, f"a page with {fault}")
        elif answer.blocks:
            self._pages.append(_Page(peer.peer_id, answer, answer.ByteSize()))
        elif max(told, answer.final_number) >= start >= answer.oldest_number:
            self.drop(peer.peer_id, _NO_ANSWER, "no page below the final number it told")
        else:
            # It has no more than we have, or has removed what we lack.
            height = _NEVER if answer.oldest_number > start else max(told, answer.final_number)
            self._resting[peer.peer_id] = (self._clock() + _REST_S, height)

    def drop(self, peer_id: str, points: int, reason: str) -> None:
        """Charge a peer, leave it alone for a while, and forget what is held of it."""
        self._penalize(peer_id, points, reason)
        self._resting[peer_id] = (self._clock() + _REST_S, _NEVER)
        self._pages = [waiting for waiting in self._pages if waiting.peer_id != peer_id]

    def import_pages(self) -> Iterator[None]:
        """Import the pages that follow the last final block; yield after every run of blocks."""
        while True:
            following = self._chain.final_number + 1
            self._pages = [waiting for waiting in self._pages if waiting.last >= following]
            waiting = next((waiting for waiting in self._pages if waiting.first <= following), None)
            if waiting is None:
                return
            self._pages.remove(waiting)
            for blocks, justification in runs_of(waiting.answer):
                new = [block for block in blocks if block.header.number > self._chain.final_number]
                if new and not self.import_final(waiting.peer_id, new, justification):
                    break
                yield
            else:
                self._needed = True
                self._asked.clear()

    def import_final(self, peer_id: str, blocks: list[Block], justification: Justification) -> bool:
        """Import final blocks of a peer; charge it and return False when they are not."""
        try:
            self._chain.import_final(blocks, justification)
        except (InvalidBlock, UnknownParent, CertificateError) as error:
            self.drop(peer_id, BAD_PAGE, f"blocks that are not final here: {error}")
            return False
        self._imported()
        return True

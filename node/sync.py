"""Catching up: final blocks in pages from the peers that have them, and the answers to those who ask us.

A page is consecutive final blocks, with the justification of its last block, which is one with a certificate of
its own, and that of every closing block before it: whom to believe after a closing block is known only once that
block is proven final. It is bounded in blocks and in bytes.

Pages are fetched from several peers at once, one from each, up to `AHEAD` pages beyond the last final block, and
imported in order. The next page that is needed goes to the most promising peer; if that one takes its time,
another is asked as well. A peer whose page is wrong, empty or unanswered is charged, all that is held of it is
dropped, and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import trio

from node.chain import Chain, UnknownParent
from node.network import Network, Peer, RequestFailed
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import BlockAnnounce, SyncRequest, SyncResponse
from runtime.certificates import CertificateError, verify_justification
from runtime.frame import InvalidBlock

log = logging.getLogger("pocl.sync")

PAGE_BLOCKS = 256
PAGE_BYTES = 4 * 2**20
MAX_PAGE_BYTES = 7 * 2**20
"""A page goes on to the next block that has its own certificate, but not beyond this."""

AHEAD = 4
"""Pages fetched or held at a time while nobody is slow."""

MAX_FLIGHTS = 8
MAX_HELD_BYTES = 32 * 2**20
"""With more than this in pages that wait for an earlier one, only that one is fetched."""

IDLE_POLL_S = 1.0
SLOW_S = 1.0
"""A page that is needed next and has not come by then is asked of another peer as well."""

_REST_S = 1.0
"""Who had nothing for us is left alone for so long, unless it says that it has more than it said then."""

_BAD_PAGE = 50
_NO_ANSWER = 10

_NEVER = 2**64

Run = tuple[list[Block], Justification]
"""Blocks of one epoch, and why the last of them is final."""


def page(chain: Chain, request: SyncRequest) -> SyncResponse:
    """Return the page of final blocks that a request asks for; without blocks when there are none."""
    final = chain.final_number
    answer = SyncResponse(final_number=final)
    most_blocks = min(request.max_blocks or PAGE_BLOCKS, PAGE_BLOCKS)
    most_bytes = min(request.max_bytes or PAGE_BYTES, PAGE_BYTES)
    closing: list[tuple[int, Justification]] = []
    size, whole = 0, 0
    for number in range(max(request.from_number, 1), final + 1):
        block, justification = chain.final_block(number), chain.justification(number)
        if block is None or justification is None:
            break
        closes = block.header.HasField("next_epoch")
        size += block.ByteSize() + (justification.ByteSize() if closes else 0)
        if size > MAX_PAGE_BYTES or (whole and (size > most_bytes or len(answer.blocks) >= most_blocks)):
            break
        answer.blocks.append(block)
        if not justification.descendants:
            whole = len(answer.blocks)
            answer.justification.CopyFrom(justification)
        if closes:
            closing.append((len(answer.blocks), justification))
    # After the blocks were looked for: one that pruning takes meanwhile must not look like a broken promise.
    answer.oldest_number = chain.database.oldest_body
    del answer.blocks[whole:]
    answer.closing.extend(justification for place, justification in closing if place < whole)
    return answer


def runs_of(answer: SyncResponse) -> Iterator[Run]:
    """Yield a page's blocks epoch by epoch, each with its justification."""
    closing = iter(answer.closing)
    run: list[Block] = []
    for block in answer.blocks[:-1]:
        run.append(block)
        if block.header.HasField("next_epoch"):
            yield run, next(closing)
            run = []
    yield [*run, answer.blocks[-1]], answer.justification


def page_fault(answer: SyncResponse, start: int) -> str | None:
    """Return what is wrong with the form of a page from block `start` on."""
    blocks: Sequence[Block] = answer.blocks
    for number, block in enumerate(blocks, start):
        if block.header.number != number:
            return f"block {block.header.number} in the place of block {number}"
    closing = sum(block.header.HasField("next_epoch") for block in blocks[:-1])
    if closing != len(answer.closing):
        return f"{len(answer.closing)} justifications of {closing} closing blocks"
    return None


@dataclass(eq=False)
class _Flight:
    """A page on its way here."""

    start: int
    blocks: int
    since: float


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


class Synchronizer:
    """Follows the highest final number among the peers."""

    def __init__(self, chain: Chain, *, margin: int, imported: Callable[[], None]) -> None:
        """`margin`: how far behind a peer this node may be before it fetches blocks by itself. A validator in
        step gets its blocks from consensus. `imported` is called after every run of blocks."""
        self._chain = chain
        self._margin = margin
        self._imported = imported
        self._network: Network | None = None
        self._changed = trio.Event()
        self._needed = False
        # Who was asked since the last block came, whatever it says of its height.
        self._asked: set[str] = set()
        self._hint: Peer | None = None
        self._flights: dict[str, _Flight] = {}
        self._pages: list[_Page] = []
        # Until when a peer is left alone, and the height above which it is not.
        self._resting: dict[str, tuple[float, int]] = {}
        self.syncing = False
        """Whether blocks are being fetched."""

    def attach(self, network: Network) -> None:
        """Say which network to use; before `run`."""
        self._network = network

    def need(self, peer: Peer | None = None) -> None:
        """Consensus says that final blocks are missing here; `peer` seems to have them."""
        self._needed = True
        self._asked.clear()
        self._hint = peer or self._hint
        self._changed.set()

    def on_announce(self, peer: Peer, announce: BlockAnnounce) -> bool:
        """Take in an announced final block; tell whether it is valid and new, so that others should hear of it."""
        number = announce.block.header.number
        if number <= self._chain.final_number:
            ours = self._chain.database.header(number)
            if ours is not None and ours != announce.block.header:
                self._refuse(peer.peer_id, f"another block {number} than the final one")
            return False
        if number != self._chain.final_number + 1:
            self._changed.set()
            return False
        if self._margin:
            # This validator gets the block from consensus, if it is one.
            self._check(peer.peer_id, announce)
            return False
        return self._import(peer.peer_id, [announce.block], announce.justification)

    async def run(self) -> None:
        """Keep up with the peers until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                self._changed = trio.Event()
                await self._import_pages()
                for peer, flight in self._plan():
                    self._flights[peer.peer_id] = flight
                    nursery.start_soon(self._fly, peer, flight)
                self.syncing = bool(self._flights or self._pages)
                if not self.syncing and not self._resting:
                    self._needed = False
                with trio.move_on_after(IDLE_POLL_S):
                    await self._changed.wait()

    # Whom to ask for what.

    def _plan(self) -> list[tuple[Peer, _Flight]]:
        """Return whom to ask for which pages now."""
        now = trio.current_time()
        mine = at = self._chain.final_number
        planned: list[tuple[Peer, _Flight]] = []
        free = self._free_peers(now)
        held = sum(waiting.size for waiting in self._pages)
        while at < mine + AHEAD * PAGE_BLOCKS and len(self._flights) + len(planned) < MAX_FLIGHTS:
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
            planned.append((peer, _Flight(at, min(blocks, PAGE_BLOCKS), now)))
            at += PAGE_BLOCKS - 1
        return planned

    def _free_peers(self, now: float) -> list[Peer]:
        """Return who can be asked, the most promising first.

        What a peer last told of its height can be old: validators hear of blocks through consensus and not
        through announcements. So when consensus misses blocks, everybody is asked.
        """
        assert self._network is not None
        hint, self._hint = self._hint, None
        if hint is not None:
            self._resting.pop(hint.peer_id, None)
        peers = self._network.peers()
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

    def _may_have(self, peer: Peer, number: int, mine: int) -> bool:
        if number > mine + 1:
            return peer.final_number >= number
        if self._needed:
            return peer.final_number > mine or peer.peer_id not in self._asked
        return peer.final_number > mine + self._margin

    # What comes of it.

    async def _fly(self, peer: Peer, flight: _Flight) -> None:
        """Fetch one page."""
        assert self._network is not None
        told = peer.final_number
        self._asked.add(peer.peer_id)
        request = SyncRequest(from_number=flight.start, max_blocks=flight.blocks, max_bytes=PAGE_BYTES)
        try:
            answer = await self._network.request_sync(peer.peer_id, request)
        except RequestFailed as error:
            log.info("peer %s gave no blocks: %s", peer.name or peer.peer_id, error)
            self._drop(peer.peer_id, _NO_ANSWER, "no answer to a sync request")
        else:
            self._land(peer, flight.start, told, answer)
        finally:
            del self._flights[peer.peer_id]
            self._changed.set()

    def _land(self, peer: Peer, start: int, told: int, answer: SyncResponse) -> None:
        fault = page_fault(answer, start)
        if fault is not None:
            self._drop(peer.peer_id, _BAD_PAGE, f"a page with {fault}")
        elif answer.blocks:
            self._pages.append(_Page(peer.peer_id, answer, answer.ByteSize()))
        elif max(told, answer.final_number) >= start >= answer.oldest_number:
            self._drop(peer.peer_id, _NO_ANSWER, "no page below the final number it told")
        else:
            # It has no more than we have, or has removed what we lack.
            height = _NEVER if answer.oldest_number > start else max(told, answer.final_number)
            self._resting[peer.peer_id] = (trio.current_time() + _REST_S, height)

    def _drop(self, peer_id: str, points: int, reason: str) -> None:
        """Charge a peer, leave it alone for a while, and forget what is held of it."""
        assert self._network is not None
        self._network.penalize(peer_id, points, reason)
        self._resting[peer_id] = (trio.current_time() + _REST_S, _NEVER)
        self._pages = [waiting for waiting in self._pages if waiting.peer_id != peer_id]

    async def _import_pages(self) -> None:
        """Import the pages that follow the last final block."""
        while True:
            following = self._chain.final_number + 1
            self._pages = [waiting for waiting in self._pages if waiting.last >= following]
            waiting = next((waiting for waiting in self._pages if waiting.first <= following), None)
            if waiting is None:
                return
            self._pages.remove(waiting)
            for blocks, justification in runs_of(waiting.answer):
                new = [block for block in blocks if block.header.number > self._chain.final_number]
                if new and not self._import(waiting.peer_id, new, justification):
                    break
                # Many blocks in a row must not keep the rest of the node waiting.
                await trio.lowlevel.checkpoint()
            else:
                self._needed = True
                self._asked.clear()

    def _check(self, peer_id: str, announce: BlockAnnounce) -> None:
        """Charge the peer unless the announced block is final after the last final one here."""
        header, chain = announce.block.header, self._chain
        try:
            if header.parent_hash != chain.final_hash:
                raise InvalidBlock("it does not follow the last final block")
            validators = chain.epoch_change.validators
            verify_justification(header, announce.justification, validators, chain.genesis_hash)
        except (InvalidBlock, CertificateError) as error:
            self._refuse(peer_id, f"an announced block that is not final: {error}")

    def _refuse(self, peer_id: str, reason: str) -> None:
        assert self._network is not None
        self._network.penalize(peer_id, _BAD_PAGE, reason)

    def _import(self, peer_id: str, blocks: list[Block], justification: Justification) -> bool:
        try:
            self._chain.import_final(blocks, justification)
        except (InvalidBlock, UnknownParent, CertificateError) as error:
            self._drop(peer_id, _BAD_PAGE, f"blocks that are not final here: {error}")
            return False
        self._imported()
        return True

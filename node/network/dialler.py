"""Finding peers and keeping connected to them.

Addresses come from the bootnodes, from handshakes (the address a connection comes from, with the port that
its node listens on) and from /peers/1, which every new peer is asked at once and one peer in turn every few
seconds. Nodes that share only a bootnode find each other so: the bootnode knows both from their handshakes
before it answers the later one. All known peers are dialled while there is room, since votes go straight from
each validator to each other. Answers to /peers/1 also tell the time, so that clocks can be compared.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Protocol

import trio

from node.network.addresses import (
    BOOTNODE,
    STRANGER,
    VALIDATOR,
    Address,
    AddressBook,
    Entry,
    make_address,
    may_tell,
    parse_address,
)
from node.network.decoding import decode_bounded
from node.network.host import Host
from node.network.link import LinkError
from node.network.reputation import MALFORMED
from node.network.session import Session
from node.network.types import RequestFailed
from pocl.v1.network_pb2 import PeersRequest, PeersResponse
from runtime.codec import CodecError, encode

logger = logging.getLogger(__name__)

PEERS = "peers"
MAX_TOLD = 64
MAX_ADDRESS = 300
MAX_ANSWER_BYTES = MAX_TOLD * (MAX_ADDRESS + 4) + 16

_TICK_S = 0.1
_EXCHANGE_S = 10.0
_MAX_DIALS = 8
_REQUEST_S = 10.0

_MAX_CLOCK_MS = 2**53
_MAX_TRIP_S = 2.0
"""The time in an answer is that of the middle of the trip; after a longer one it says too little."""


class Surroundings(Protocol):
    """What the dialler needs to know of the network."""

    def sessions(self) -> list[Session]:
        """Return the admitted sessions."""

    def connected(self, peer_id: str) -> bool:
        """Tell whether a connection to a peer is up or coming up."""

    def banned(self, peer_id: str) -> bool:
        """Tell whether a peer is banned."""

    def has_room(self) -> bool:
        """Tell whether there is a place for one more peer."""

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        """Charge a peer."""


class Dialler:
    """The reconnect loop and the peer exchange."""

    def __init__(
        self, host: Host, bootnodes: list[Address], around: Surroundings, now_ms: Callable[[], int]
    ) -> None:
        self._host = host
        self._now_ms = now_ms
        self._around = around
        self._book = AddressBook(host.peer_id, trio.current_time)
        for address in bootnodes:
            self._book.add(address, patience=BOOTNODE)
        self._dials = 0

    async def run(self) -> None:
        """Dial and exchange until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._exchange)
            while True:
                for entry in self._book.due():
                    if self._dials < _MAX_DIALS and self._wanted(entry):
                        self._dials += 1
                        entry.dialling = True
                        nursery.start_soon(self._dial, entry)
                await trio.sleep(_TICK_S)

    def admitted(self, session: Session, is_validator: bool) -> None:
        """A session became a peer: remember where its node listens."""
        self._book.connected(session.link.peer_id)
        address = address_of(session)
        if address is not None:
            self._book.add(address, patience=VALIDATOR if is_validator else STRANGER, first=True)
        if is_validator:
            self._book.keep(session.link.peer_id, VALIDATOR)

    def ended(self, session: Session) -> None:
        """A session, admitted or not, is over."""
        self._book.lost(session.link.peer_id, blame=session.at_fault)

    async def ask(self, session: Session) -> None:
        """Ask a peer for others and for the time, and learn what it tells."""
        session.asked_at = sent = trio.current_time()
        try:
            data = await session.request(PEERS, encode(PeersRequest()), MAX_ANSWER_BYTES, _REQUEST_S)
            answer = decode_bounded(PeersResponse, data)
        except RequestFailed as error:
            logger.debug("%s", error)
            return
        except CodecError as error:
            self._around.penalize(session.link.peer_id, MALFORMED, f"its answer to a peers request: {error}")
            return
        trip_s = trio.current_time() - sent
        if session.peer is not None and 0 < answer.time_ms < _MAX_CLOCK_MS and trip_s <= _MAX_TRIP_S:
            session.peer.clock_s = answer.time_ms / 1000 - (sent + trip_s / 2)
        for text in answer.addresses[:MAX_TOLD]:
            address = parse_address(text) if len(text) <= MAX_ADDRESS else None
            if address is not None and may_tell(address, session.link.remote[0]):
                self._book.add(address)

    async def answer(self, asking: Session) -> bytes:
        """Return the answer to a PeersRequest: the peers that are connected here."""
        sessions = [session for session in self._around.sessions() if session is not asking]
        random.shuffle(sessions)
        told = [address.text for session in sessions if (address := address_of(session)) is not None]
        return encode(PeersResponse(addresses=told[:MAX_TOLD], time_ms=self._now_ms()))

    def _wanted(self, entry: Entry) -> bool:
        if self._around.connected(entry.peer_id) or self._around.banned(entry.peer_id):
            return False
        return self._around.has_room() or entry.patience > STRANGER

    async def _dial(self, entry: Entry) -> None:
        address = entry.addresses[0].text
        try:
            await self._host.dial(address, entry.peer_id)
        except LinkError as error:
            logger.debug("%s: %s", address, error)
            self._book.failed(entry)
        except Exception:
            logger.exception("dialling %s", address)
            self._book.failed(entry)
        finally:
            self._dials -= 1
            entry.dialling = False

    async def _exchange(self) -> None:
        while True:
            await trio.sleep(_EXCHANGE_S * random.uniform(0.8, 1.2))
            sessions = self._around.sessions()
            if sessions:
                await self.ask(min(sessions, key=lambda session: session.asked_at))


def address_of(session: Session) -> Address | None:
    """Return where the node of a session can be dialled, None when it does not listen."""
    link, claim = session.link, session.claim
    if claim is None or not claim.listen_port or not link.remote[0]:
        return None
    return make_address(link.remote[0], claim.listen_port, link.peer_id)

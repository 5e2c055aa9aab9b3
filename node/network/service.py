"""The node's network: who is a peer, and what goes between the peers and the node.

Three notification protocols (/pocl/<genesis hex>/consensus/1, /blocks/1, /transactions/1; session.py) and
four request-response ones, one stream a request (/sync/1, /state/1, /blobs/1, /peers/1). Messages of consensus go to
every peer directly and are not relayed; block announcements are relayed once by each node that finds them
valid; transactions go on when the pool accepts them.

Places: at most `max_peers`, of which `validator_slots` are only for peers that prove an account of the
validator set; when everything is taken, a validator takes the place of the youngest other peer. Of two
connections between the same peers the one that the smaller peer id opened stays, so both sides keep the same;
of two opened by the same side the newer stays.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

import trio
from google.protobuf.message import Message

from node.blobs import BlobStore
from node.errors import ConfigError
from node.network import memory
from node.network.addresses import Address, parse_address
from node.network.answers import MAX_ANSWER, STATE, SYNC, Answers
from node.network.blob_exchange import BlobFetcher, holder_first
from node.network.decoding import decode_bounded
from node.network.dialler import Dialler
from node.network.fairness import Turns
from node.network.gossip import Gossip
from node.network.handshake import PEER_ID_PREFIX, check_handshake, make_handshake
from node.network.host import Host
from node.network.link import Link, Stream
from node.network.reputation import MALFORMED, Reputation
from node.network.session import BLOCKS, CONSENSUS, SUBJECTS, TRANSACTIONS, Session, Subject
from node.network.traffic import Traffic
from node.network.types import Handlers, NetworkSettings, Peer, RequestFailed
from pocl.v1.network_pb2 import Handshake, StateRequest, StateResponse, SyncRequest, SyncResponse
from runtime.codec import CodecError, encode

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

_UNADMITTED = 32
"""Connections beyond the peers' places, those still shaking hands: the oldest makes place for the next."""

_GUARD_S = 0.1


class Network:
    """All of the node's talk with its peers. Everything here is called on the trio thread."""

    def __init__(self, settings: NetworkSettings, handlers: Handlers, blobs: BlobStore) -> None:
        """Raise ConfigError for a malformed bootnode."""
        self._settings = settings
        self._handlers = handlers
        self.silence_s = settings.silence_s
        self._bootnodes = [_bootnode(text) for text in settings.bootnodes]
        self._host = Host(settings.node_key_seed, settings.max_peers + 2 * _UNADMITTED)
        self.peer_id: str = self._host.peer_id
        """Base58, known from the start."""

        self.traffic: Traffic = self._host.traffic
        self._port = 0
        self._sessions: dict[Link, Session] = {}
        self._admitted: dict[str, Session] = {}
        self._validators: dict[bytes, Session] = {}
        self._nursery: trio.Nursery | None = None
        self._reputation = Reputation(trio.current_time)
        self._dialler = Dialler(self._host, self._bootnodes, self, settings.now_ms)
        self._gossip = Gossip(handlers, self.sessions)
        self._turns = Turns()
        self._fetcher = BlobFetcher(self._holders, self.penalize, settings.max_blob_bytes)
        self._answers = Answers(self._host, self.protocol, self, handlers, blobs, self._dialler.answer)
        self._register()

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, connect and serve until cancelled; `started` when listening.

        Raise NodeStartError when the address cannot be listened on.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            async with self._host.run(self._settings.host, self._settings.port, self._on_link) as port:
                self._port = port
                logger.debug("p2p: %s", ", ".join(self.addresses))
                nursery.start_soon(self._guard_memory)
                task_status.started()
                await self._dialler.run()

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        return self._port

    @property
    def addresses(self) -> list[str]:
        """Multiaddrs with /p2p/ under which others may dial this node; an open host is shown as loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.host, self._settings.host)
        return [f"/{'ip6' if ':' in host else 'ip4'}/{host}/tcp/{self._port}/p2p/{self.peer_id}"]

    def peers(self) -> list[Peer]:
        """Return the connected peers, those that came first at the head."""
        return [session.peer for session in self._admitted.values() if session.peer is not None]

    def broadcast_consensus(self, data: bytes) -> None:
        """Queue canonical ConsensusMessage bytes for every peer; never waits."""
        self._gossip.broadcast_consensus(data)

    def send_consensus(self, to: bytes | Peer, data: bytes) -> bool:
        """Queue for one peer, or the peer that proved that account. False when it is not connected."""
        session = self._admitted.get(to.peer_id) if isinstance(to, Peer) else self._validators.get(to)
        if session is None:
            return False
        self._gossip.send_consensus(session, data)
        return not session.over

    def broadcast_transactions(self, extrinsics: list[bytes]) -> None:
        """Queue extrinsics for every peer not known to have them."""
        self._gossip.broadcast_transactions(extrinsics)

    def announce_block(self, data: bytes) -> None:
        """Queue canonical BlockAnnounce bytes for every peer not known to have the block."""
        self._gossip.announce_block(data)

    async def request_sync(self, peer_id: str, request: SyncRequest, timeout_s: float = 20.0) -> SyncResponse:
        """Ask a connected peer for blocks. Raise RequestFailed."""
        answer = await self._request(peer_id, SYNC, request, SyncResponse, MAX_ANSWER, timeout_s)
        session = self._admitted.get(peer_id)
        if session is not None and session.peer is not None:
            session.peer.final_number = max(session.peer.final_number, answer.final_number)
        return answer

    async def request_state(
        self, peer_id: str, request: StateRequest, timeout_s: float = 20.0
    ) -> StateResponse:
        """Ask a connected peer for headers or state. Raise RequestFailed."""
        return await self._request(peer_id, STATE, request, StateResponse, MAX_ANSWER, timeout_s)

    async def _request(
        self, peer_id: str, name: str, request: Message, answer: type[M], max_bytes: int, timeout_s: float
    ) -> M:
        session = self._admitted.get(peer_id)
        if session is None:
            raise RequestFailed(f"peer {peer_id} is not connected")
        data = await session.request(name, encode(request), max_bytes, timeout_s)
        try:
            return decode_bounded(answer, data)
        except CodecError as error:
            self.penalize(peer_id, MALFORMED, f"its answer to a {name} request: {error}")
            raise RequestFailed(f"peer {peer_id}: {error}") from None

    async def fetch_blob(
        self, name: bytes, max_bytes: int, holder: bytes | None = None, timeout_s: float = 60.0
    ) -> bytes | None:
        """Return the verified bytes of a blob from the peers, asking the validator `holder` first.

        None when nobody gave it in time. Stores nothing, and does not look into the own store.
        """
        return await self._fetcher.fetch(name, max_bytes, holder, timeout_s)

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        """Charge a peer; at 100 points it is disconnected and banned for a while. Points decay."""
        logger.info("peer %s: charged %d points: %s", peer_id, points, reason)
        if self._reputation.charge(peer_id, points):
            logger.warning("peer %s is banned: %s", peer_id, reason)
            for session in list(self._sessions.values()):
                if session.link.peer_id == peer_id:
                    session.end("banned", fault=True)

    # What sessions, dialler and answers ask (session.Owner, dialler.Surroundings, answers.Askers).

    def sessions(self) -> list[Session]:
        """Return the admitted sessions."""
        return list(self._admitted.values())

    def is_validator(self, session: Session) -> bool:
        """Tell whether the peer is a validator of the set."""
        account = session.peer.validator if session.peer is not None else None
        return account is not None and self._handlers.is_validator(account)

    def turn(self, session: Session) -> AbstractAsyncContextManager[None]:
        """Return what must be entered to work for a peer: strangers take turns (fairness.py)."""
        return nullcontext() if self.is_validator(session) else self._turns.turn()

    def session(self, link: Link) -> Session | None:
        """Return the session of a connection."""
        return self._sessions.get(link)

    def connected(self, peer_id: str) -> bool:
        """Tell whether a connection to a peer is up or coming up."""
        return any(session.link.peer_id == peer_id for session in self._sessions.values())

    def banned(self, peer_id: str) -> bool:
        """Tell whether a peer is banned."""
        return self._reputation.banned(peer_id)

    def has_room(self) -> bool:
        """Tell whether there is a place for a peer that is no validator."""
        return len(self._admitted) < self._settings.max_peers and len(self._others()) < self._open_places

    def protocol(self, name: str) -> str:
        """Return the protocol id of a subject or request."""
        return f"/pocl/{self._settings.genesis_hash.hex()}/{name}/1"

    def handshake_for(self, peer_id: str) -> bytes:
        """Return this node's handshake for a peer."""
        handshake = make_handshake(
            genesis_hash=self._settings.genesis_hash,
            key=self._settings.validator_key,
            name=self._settings.name,
            final_number=self._handlers.final_number(),
            epoch=self._handlers.epoch(),
            begun=self._handlers.begun(),
            listen_port=self._port,
            sender=self.peer_id,
            receiver=peer_id,
        )
        return encode(handshake)

    def check(self, peer_id: str, data: bytes) -> Handshake:
        """Return a peer's handshake, checked. Raise HandshakeError."""
        return check_handshake(
            data, genesis_hash=self._settings.genesis_hash, sender=peer_id, receiver=self.peer_id
        )

    def admit(self, session: Session) -> str | None:
        """Make a session a peer, or say why not."""
        claim, link = session.claim, session.link
        assert claim is not None
        account = claim.validator or None
        is_validator = account is not None and self._handlers.is_validator(account)
        refused = self._resolve_duplicate(session) or self._find_place(session, is_validator)
        if refused is not None:
            return refused
        session.peer = Peer(
            peer_id=link.peer_id,
            name=claim.name,
            validator=account,
            final_number=claim.final_number,
            epoch=claim.epoch,
            begun=claim.begun if claim.HasField("begun") else None,
            address=link.address,
            inbound=link.inbound,
            connected_at=trio.current_time(),
        )
        self._admitted[link.peer_id] = session
        if not is_validator:
            session.restrict()
        if account is not None:
            self._validators[account] = session
        self._dialler.admitted(session, is_validator)
        logger.info("peer %s (%s) connected", link.peer_id, claim.name)
        self._call(self._handlers.on_peer, session.peer)
        if self._nursery is not None:
            self._nursery.start_soon(self._dialler.ask, session)
        return None

    async def on_frame(self, session: Session, subject: Subject, data: bytes) -> None:
        """Handle a frame, when it is the peer's turn. Raise Violation for a bad one."""
        async with self.turn(session):
            await self._handle_frame(session, subject, data)

    async def _handle_frame(self, session: Session, subject: Subject, data: bytes) -> None:
        if session.peer is None or session.over:
            return
        if subject is CONSENSUS:
            self._gossip.on_consensus(session.peer, data)
        elif subject is BLOCKS:
            self._gossip.on_announce(session, session.peer, data)
        elif subject is TRANSACTIONS:
            await self._gossip.on_transactions(session, session.peer, data)

    def charge(self, session: Session, reason: str) -> None:
        """A session did what no honest node does."""
        self.penalize(session.link.peer_id, MALFORMED, reason)

    def _register(self) -> None:
        def of_subject(subject: Subject) -> Callable[[Stream], Awaitable[None]]:
            async def serve(stream: Stream) -> None:
                session = self._sessions.get(stream.link)
                if session is not None:
                    await session.serve_subject(subject, stream)
                await stream.reset()

            return serve

        for subject in SUBJECTS:
            self._host.serve(self.protocol(subject.name), of_subject(subject))

    def _on_link(self, link: Link) -> None:
        unwanted = link.peer_id == self.peer_id or not link.peer_id.startswith(PEER_ID_PREFIX)
        if self._nursery is None or unwanted or self.banned(link.peer_id):
            link.drop()
            return
        arriving = [one for one in self._sessions.values() if one.peer is None and not one.over]
        if len(arriving) >= _UNADMITTED:
            arriving[0].end("later connections took its place")
        session = self._sessions[link] = Session(link, self)
        self._nursery.start_soon(self._run_session, session)

    async def _run_session(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            session.end("this node stops")
            self._forget(session)
            self._sessions.pop(session.link, None)
            self._dialler.ended(session)

    def _forget(self, session: Session) -> None:
        if session.peer is None or self._admitted.get(session.link.peer_id) is not session:
            return
        del self._admitted[session.link.peer_id]
        account = session.peer.validator
        if account is not None and self._validators.get(account) is session:
            del self._validators[account]
        self._call(self._handlers.off_peer, session.peer)

    def _resolve_duplicate(self, session: Session) -> str | None:
        other = self._admitted.get(session.link.peer_id)
        if other is None:
            return None
        opened_by_smaller = session.link.inbound == (session.link.peer_id < self.peer_id)
        if session.link.inbound != other.link.inbound and not opened_by_smaller:
            return "a second connection"
        other.end("replaced by another connection")
        self._forget(other)
        return None

    def _find_place(self, session: Session, is_validator: bool) -> str | None:
        others = self._others()
        full = len(self._admitted) >= self._settings.max_peers
        if not full and (is_validator or len(others) < self._open_places):
            return None
        if is_validator and others:
            youngest = others[-1]
            youngest.end("its place goes to a validator", fault=True)
            self._forget(youngest)
            return None
        session.at_fault = True
        return "all places are taken"

    @property
    def _open_places(self) -> int:
        return self._settings.max_peers - self._settings.validator_slots

    def _others(self) -> list[Session]:
        """Return the peers that are not in the validator set, the youngest last."""
        return [session for session in self._admitted.values() if not self.is_validator(session)]

    async def _guard_memory(self) -> None:
        """Keep what is held for peers within bounds (memory.py)."""
        while True:
            await trio.sleep(_GUARD_S)
            sessions = list(self._sessions.values())
            for session in memory.swamping(sessions):
                self.charge(session, "it sends far more than it may")
                session.end("it sends far more than it may", fault=True)
            for session in memory.too_much(sessions, self.is_validator):
                session.end("this node holds too much for it", fault=True)

    def _holders(self, holder: bytes | None) -> list[Session]:
        return holder_first(self.sessions(), self._validators.get(holder) if holder is not None else None)

    def _call(self, handler: Callable[..., Any], *args: object) -> None:
        try:
            handler(*args)
        except Exception:
            logger.exception("in a handler of the network")


def _bootnode(text: str) -> Address:
    address = parse_address(text)
    if address is None:
        raise ConfigError(
            f"bootnode {text[:200]!r}: write /ip4/<address>/tcp/<port>/p2p/<peer id> (or dns4, dns6, ip6)"
        )
    return address

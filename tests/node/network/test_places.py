"""Who gets a place, a turn, an answer, and how much is kept for it: validators before strangers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from node.blobs import BlobStore
from node.network import Handlers, Network, NetworkSettings, answers, dialler
from node.network.addresses import Entry
from node.network.answers import Answers
from node.network.session import CONSENSUS, Session
from pocl.v1.network_pb2 import Handshake, SyncRequest, SyncResponse
from runtime.codec import encode
from tests.node.network.harness import GENESIS, until

VALIDATORS = [bytes([number]) * 32 for number in range(1, 9)]
STRANGER = b"s" * 32


def handlers() -> Handlers:
    return Handlers(
        on_consensus=lambda peer, message: None,
        on_transactions=lambda peer, batch: None,
        on_announce=lambda peer, announce: False,
        serve_sync=lambda request: SyncResponse(final_number=7),
        final_number=lambda: 0,
        epoch=lambda: 1,
        may_serve=lambda meta: False,
        is_validator=lambda account: account in VALIDATORS,
    )


@pytest.fixture
def network(tmp_path: Path) -> Network:
    settings = NetworkSettings(
        genesis_hash=GENESIS,
        node_key_seed=bytes(32),
        max_peers=4,
        validator_slots=2,
        host="127.0.0.1",
        port=0,
    )
    return Network(settings, handlers(), BlobStore(tmp_path))


def arriving(network: Network, peer_id: str, account: bytes = b"") -> Session:
    """Return the session of a peer that has shaken hands."""
    dropped = trio.Event()
    link: Any = SimpleNamespace(
        peer_id=peer_id, inbound=True, address="", remote=("127.0.0.1", 1), dropped=dropped, drop=dropped.set
    )
    session = Session(link, network)
    session.claim = Handshake(name=peer_id, validator=account)
    return session


async def test_strangers_never_get_the_validators_places(network: Network) -> None:
    strangers = [arriving(network, f"stranger {number}") for number in range(2)]
    assert [network.admit(session) for session in strangers] == [None, None]
    assert not network.has_room()
    # An account is a key: it makes nobody a validator of the set.
    for account in (b"", STRANGER):
        assert network.admit(arriving(network, "late", account)) == "all places are taken"
    validators = [arriving(network, f"validator {account[0]}", account) for account in VALIDATORS]
    assert [network.admit(session) for session in validators[:2]] == [None, None]
    assert [peer.peer_id for peer in network.peers()][:2] == ["stranger 0", "stranger 1"]
    # Everything is taken: the youngest stranger goes first, then the other, and nobody for a stranger.
    assert network.admit(arriving(network, "late", STRANGER)) == "all places are taken"
    assert network.admit(validators[2]) is None
    assert [session.over for session in strangers] == [False, True]
    assert network.admit(validators[3]) is None
    assert [session.over for session in strangers] == [True, True]
    assert network.admit(validators[4]) == "all places are taken"
    assert [peer.validator for peer in network.peers()] == VALIDATORS[:4]


async def test_only_strangers_wait_for_their_turn(network: Network) -> None:
    first, second = arriving(network, "one"), arriving(network, "two", STRANGER)
    known = arriving(network, "known", VALIDATORS[0])
    for session in (first, second, known):
        network.admit(session)
    entered: list[str] = []

    async def enter(session: Session) -> None:
        async with network.turn(session):
            entered.append(session.link.peer_id)

    async with trio.open_nursery() as nursery, network.turn(first):
        for session in (second, known):
            nursery.start_soon(enter, session)
        await trio.testing.wait_all_tasks_blocked()
        assert entered == ["known"]
    assert entered == ["known", "two"]


async def test_less_is_kept_for_strangers(network: Network) -> None:
    stranger, known = arriving(network, "stranger"), arriving(network, "known", VALIDATORS[0])
    frame = bytes(2**20)
    for session in (stranger, known):
        network.admit(session)
        for _ in range(CONSENSUS.max_bytes // 8 // len(frame) + 1):
            session.send(CONSENSUS, frame)
    assert (stranger.over, known.over) == (True, False)


async def test_who_is_banned_is_not_dialled(network: Network) -> None:
    entry = Entry("somebody")
    assert network._dialler._wanted(entry)
    network.penalize("somebody", 100, "a test")
    assert not network._dialler._wanted(entry)


class Asked:
    """The request streams of a host, answered by `Answers`; each request comes by a stream of its own."""

    def __init__(self, network: Network, path: Path, serving: Handlers) -> None:
        self._served: dict[str, Callable[[Any], Awaitable[None]]] = {}
        self._sessions: dict[str, Session] = {}
        self._network = network

        async def addresses(session: Session) -> bytes:
            return b"addresses"

        askers: Any = SimpleNamespace(
            session=lambda link: self._sessions[link.peer_id],
            is_validator=network.is_validator,
            turn=lambda session: nullcontext(),
        )
        host: Any = SimpleNamespace(serve=self._served.__setitem__)
        Answers(host, lambda name: name, askers, serving, BlobStore(path), addresses)

    def peer(self, peer_id: str, account: bytes = b"") -> Session:
        session = self._sessions[peer_id] = arriving(self._network, peer_id, account)
        assert self._network.admit(session) is None
        session.settled.set()
        return session

    async def ask(
        self, session: Session, name: str, request: bytes, got: list[str], slow: bool = False
    ) -> None:
        """Ask as that peer; `got` has its name once the answer is on its way, which a slow one never takes."""

        async def write(data: bytes) -> None:
            got.append(session.link.peer_id)
            if slow:
                await trio.sleep_forever()

        async def next_frame() -> bytes:
            return request

        async def done() -> None:
            pass

        frames = SimpleNamespace(next=next_frame)
        stream: Any = SimpleNamespace(
            link=session.link, frames=lambda max_bytes: frames, write=write, close=done, reset=done
        )
        await self._served[name](stream)


async def test_strangers_that_read_slowly_keep_no_validator_waiting(network: Network, tmp_path: Path) -> None:
    asked = Asked(network, tmp_path / "blobs", handlers())
    strangers = [asked.peer(f"stranger {number}") for number in range(2)]
    known = asked.peer("known", VALIDATORS[0])
    request, got = encode(SyncRequest(from_number=1)), list[str]()
    async with trio.open_nursery() as nursery:
        for session in strangers * 3:
            nursery.start_soon(asked.ask, session, answers.SYNC, request, got, True)
        await until(lambda: len(got) == answers._PAGES, "all places of strangers are taken")
        with trio.fail_after(5):
            await asked.ask(known, answers.SYNC, request, got)
        assert got[answers._PAGES :] == ["known"]
        nursery.cancel_scope.cancel()


async def test_requests_beyond_the_rate_wait(network: Network, tmp_path: Path, autojump_clock: Any) -> None:
    asked = Asked(network, tmp_path / "blobs", handlers())
    greedy, other = asked.peer("greedy"), asked.peer("other")
    per_second, burst = answers._RATES[dialler.PEERS]
    began, got = trio.current_time(), list[str]()
    for _ in range(int(burst)):
        await asked.ask(greedy, dialler.PEERS, b"", got)
    assert trio.current_time() == began
    for _ in range(3):
        await asked.ask(greedy, dialler.PEERS, b"", got)
    assert trio.current_time() - began == pytest.approx(3 / per_second)
    then = trio.current_time()
    await asked.ask(other, dialler.PEERS, b"", got)
    assert trio.current_time() == then
    assert len(got) == burst + 4


async def test_no_answer_is_larger_than_peers_take(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    serving = handlers()
    asked, got = Asked(network, tmp_path / "blobs", serving), list[str]()
    peer, request = asked.peer("peer"), encode(SyncRequest(from_number=1))
    await asked.ask(peer, answers.SYNC, request, got)
    monkeypatch.setattr(answers, "MAX_ANSWER", 1)
    await asked.ask(peer, answers.SYNC, request, got)
    assert got == ["peer"]
    assert "peers would call it a violation" in caplog.text
    assert not peer.over

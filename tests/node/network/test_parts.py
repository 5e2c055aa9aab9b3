"""The parts that need no connection."""

from collections.abc import Callable

import pytest

from node.network.addresses import BOOTNODE, AddressBook, may_tell, parse_address
from node.network.frames import FrameError, FrameReader, StreamEnd, encode_frame
from node.network.handshake import (
    HandshakeError,
    WrongChain,
    check_handshake,
    make_handshake,
    peer_id_bytes,
)
from node.network.outbox import Outbox
from node.network.reputation import BAN_AT, BAN_S, Reputation
from node.network.seen import SeenCache
from pocl.keys import Keypair
from pocl.v1.network_pb2 import Handshake
from runtime.codec import encode

ALICE, BOB = Keypair.from_uri("//Alice"), Keypair.from_uri("//Bob")
PEERS = [
    "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5",
    "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq",
    "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba",
]
GENESIS = b"g" * 32


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def handshake(change: Callable[[Handshake], None] = lambda made: None) -> bytes:
    made = make_handshake(
        genesis_hash=GENESIS,
        key=ALICE,
        name="alice",
        final_number=7,
        epoch=2,
        listen_port=30333,
        sender=PEERS[0],
        receiver=PEERS[1],
    )
    change(made)
    return encode(made)


def test_a_proof_holds_between_its_two_peers_alone() -> None:
    checked = check_handshake(handshake(), genesis_hash=GENESIS, sender=PEERS[0], receiver=PEERS[1])
    assert (checked.validator, checked.final_number) == (ALICE.public, 7)
    for sender, receiver in ((PEERS[0], PEERS[2]), (PEERS[2], PEERS[1]), (PEERS[1], PEERS[0])):
        with pytest.raises(HandshakeError, match="proof"):
            check_handshake(handshake(), genesis_hash=GENESIS, sender=sender, receiver=receiver)


@pytest.mark.parametrize(
    "change",
    [
        lambda made: setattr(made, "validator", BOB.public),
        lambda made: setattr(made, "proof", b""),
        lambda made: setattr(made, "role", Handshake.FULL),
        lambda made: setattr(made, "role", Handshake.ROLE_UNSPECIFIED),
        lambda made: setattr(made, "name", "x" * 65),
        lambda made: setattr(made, "name", "a\nb"),
        lambda made: setattr(made, "listen_port", 65536),
        lambda made: setattr(made, "genesis_hash", b"other"),
    ],
)
def test_a_false_handshake_is_refused(change: Callable[[Handshake], None]) -> None:
    with pytest.raises(HandshakeError):
        check_handshake(handshake(change), genesis_hash=GENESIS, sender=PEERS[0], receiver=PEERS[1])


def test_another_chain_is_told_apart_from_a_lie() -> None:
    with pytest.raises(WrongChain):
        check_handshake(handshake(), genesis_hash=b"h" * 32, sender=PEERS[0], receiver=PEERS[1])


def test_peer_ids_are_their_bytes() -> None:
    # Identity multihash (0x00, 36 bytes) of the protobuf of an Ed25519 key (type 1, 32 bytes).
    assert peer_id_bytes(PEERS[0])[:6] == bytes.fromhex("002408011220")
    for bad in ("", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", PEERS[0] + "1", PEERS[0][:-1] + "0"):
        with pytest.raises(ValueError, match="Ed25519"):
            peer_id_bytes(bad)


@pytest.mark.parametrize("piece", [1, 3, 1000])
async def test_frames_come_whole_from_any_pieces(piece: int) -> None:
    sent = encode_frame(b"one") + encode_frame(b"") + encode_frame(b"t" * 100)
    reader = FrameReader(_source(sent, piece), 100)
    assert [await reader.next() for _ in range(3)] == [b"one", b"", b"t" * 100]
    with pytest.raises(StreamEnd):
        await reader.next()


async def test_oversized_and_cut_frames_are_errors() -> None:
    with pytest.raises(FrameError, match="101 bytes"):
        await FrameReader(_source(encode_frame(b"x" * 101), 4), 100).next()
    with pytest.raises(FrameError, match="inside"):
        await FrameReader(_source(encode_frame(b"x" * 50)[:-1], 8), 100).next()
    with pytest.raises(FrameError, match="at most 10"):
        await FrameReader(_source(encode_frame(b"x" * 50), 8), 100).next(10)


async def test_an_outbox_joins_what_waits_and_has_a_bound() -> None:
    box = Outbox(3, 100, drop_oldest=True)
    assert all(box.put(b"%d" % number) for number in range(5))
    assert await box.take() == b"234"
    assert box.put(b"x" * 60)
    assert box.put(b"y" * 60)
    assert await box.take() == b"y" * 60
    strict = Outbox(2, 100, drop_oldest=False)
    assert [strict.put(b"a") for _ in range(3)] == [True, True, False]


def test_points_decay_and_bans_end() -> None:
    clock = Clock()
    reputation = Reputation(clock)
    assert not reputation.charge("p", 60)
    clock.now += 240
    assert not reputation.charge("p", 60)
    clock.now += 60
    assert reputation.charge("p", 60)
    assert reputation.banned("p")
    clock.now += BAN_S
    assert not reputation.banned("p")
    assert reputation.points("p") == 0


def test_who_was_charged_or_banned_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.network.reputation._MAX_PEERS", 2)
    reputation = Reputation(Clock())
    for peer_id in "abc":
        reputation.charge(peer_id, 50)
    assert [reputation.points(peer_id) for peer_id in "abc"] == [0, 50, 50]
    for peer_id in "abc":
        reputation.charge(peer_id, BAN_AT)
    assert [reputation.banned(peer_id) for peer_id in "abc"] == [False, True, True]


def test_a_seen_cache_forgets_by_number_and_by_time() -> None:
    clock = Clock()
    seen = SeenCache(2, 10.0, clock)
    assert [seen.add(item) for item in (b"a", b"a", b"b", b"c", b"a")] == [True, False, True, True, True]
    assert b"b" not in seen
    clock.now += 10
    assert b"a" not in seen
    assert seen.add(b"a")


def test_addresses_are_checked() -> None:
    good = f"/ip4/10.0.0.1/tcp/30333/p2p/{PEERS[0]}"
    found = parse_address(good)
    assert found is not None
    assert (found.host, found.port, found.peer_id) == ("10.0.0.1", 30333, PEERS[0])
    assert parse_address(f"/dns4/boot.example/tcp/1/p2p/{PEERS[0]}") is not None
    for bad in (
        "ip4/10.0.0.1/tcp/0",
        "ip4/10.0.0.1/tcp/65536",
        "ip4/10.0.1/tcp/1",
        "ip4/::1/tcp/1",
        "ip4/a/udp/1",
    ):
        assert parse_address(f"/{bad}/p2p/{PEERS[0]}") is None


@pytest.mark.parametrize(
    ("told", "teller", "allowed"),
    [
        ("/ip4/127.0.0.1", "127.0.0.1", True),
        ("/ip4/127.0.0.1", "8.8.8.8", False),
        ("/ip4/192.168.1.5", "8.8.8.8", False),
        ("/ip4/192.168.1.5", "192.168.1.9", True),
        ("/ip4/1.1.1.1", "8.8.8.8", True),
        ("/ip4/0.0.0.0", "127.0.0.1", False),
        ("/ip4/224.0.0.1", "8.8.8.8", False),
        ("/dns4/boot.example", "8.8.8.8", False),
    ],
)
def test_strangers_cannot_send_us_anywhere(told: str, teller: str, allowed: bool) -> None:
    address = parse_address(f"{told}/tcp/30333/p2p/{PEERS[0]}")
    assert address is not None
    assert may_tell(address, teller) is allowed


def test_the_address_book_retries_soon_then_later_and_gives_strangers_up() -> None:
    clock = Clock()
    book = AddressBook(PEERS[2], clock)
    own, boot, stranger = (parse_address(f"/ip4/127.0.0.1/tcp/1/p2p/{PEERS[number]}") for number in (2, 0, 1))
    assert own is not None
    assert boot is not None
    assert stranger is not None
    book.add(own)
    book.add(boot, patience=BOOTNODE)
    book.add(stranger)
    clock.now += 1
    assert {entry.peer_id for entry in book.due()} == {PEERS[0], PEERS[1]}
    delays = []
    for _ in range(40):
        for entry in book.due():
            book.failed(entry)
            if entry.peer_id == PEERS[0]:
                delays.append(entry.due - clock.now)
        clock.now += 61
    assert delays[0] < 0.4
    assert max(delays) <= 5.5
    assert len(delays) == 40
    assert [entry.peer_id for entry in book.due()] == [PEERS[0]]


def _source(data: bytes, piece: int) -> Callable[[int], object]:
    remaining = bytearray(data)

    async def read(count: int) -> bytes:
        taken = bytes(remaining[: min(count, piece)])
        del remaining[: len(taken)]
        return taken

    return read

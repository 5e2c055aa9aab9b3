"""Every attack against a real node's process: it charges or drops the attacker as documented, and goes on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import trio

from node.network.frames import StreamEnd
from node.network.link import LinkError
from pocl.client import Client
from tests.e2e.processes import running_node
from tests.hostile.__main__ import target_of
from tests.hostile.attacks import ATTACKS
from tests.hostile.peer import HostilePeer, Target

ANSWERS: dict[str, str | None] = {
    "wrong_genesis": "",
    "garbage_handshake": "charged 60 points: not a pocl.v1.Handshake",
    "oversized_handshake": "charged 60 points: a frame of 536870912 bytes",
    "false_validator": "charged 60 points: its proof of the validator account is false",
    "garbage_frames": "charged 60 points: not a pocl.v1.ConsensusMessage",
    "oversized_frame": "charged 60 points: a frame of 2147483648 bytes",
    "truncated_frame": "charged 60 points: the stream ended inside a frame",
    "unfinished_frames": "disconnected: ",
    "message_bomb": "charged 60 points: more than 65536 fields in one message",
    "second_stream": "charged 60 points: a second stream for consensus",
    "window_swamp": None,
    "tiny_frames": "charged 60 points: it says all the time that it is alive",
    "unsigned_transactions": "is banned: a transaction that is bad_signature",
    "malformed_transactions": "is banned: a transaction that is malformed",
    "unpayable_transactions": "",
    "empty_batches": "charged 60 points: (a batch of|more than)",
    "bad_votes": "is banned: a vote with a bad signature",
    "fake_certificates": "is banned: certificate: the signature of validator 0",
    "fake_proposals": "is banned: a proposal with a bad signature",
    "request_storm": "",
    "far_ahead": "",
    "fake_final_blocks": "charged 50 points: another block 1 than the final one",
    "lying_pages": "is banned: a page with block 1 in the place of block",
    "empty_promises": "charged 10 points: no page below the final number it told",
    "ranges_that_do_not_exist": "",
    "sync_loop": "",
    "malformed_requests": "charged 60 points: not a pocl.v1.SyncRequest",
    "slow_reader": "",
    "connection_flood": "",
    "silent_peers": "",
    "stream_flood": "",
}
"""What the node says of the attacker of each attack: empty where it only has to bear it, None where that depends on
how fast the attacker is."""

FLOODS = ("slow_reader", "connection_flood", "silent_peers", "stream_flood")
"""Last: they use up what the node takes from one address."""

MAX_RESIDENT = 300 * 2**20


@dataclass
class Besieged:
    """The node's process."""

    target: Target
    process: psutil.Process
    client: Client
    log_file: Path

    def said_of(self, peer_id: str) -> str:
        """Return the node's log lines about a peer."""
        return "\n".join(line for line in self.log_file.read_text().splitlines() if peer_id in line)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    base_path = tmp_path_factory.mktemp("hostile") / "node"
    with running_node(base_path, "--dev", "--no-worker") as ready, Client(ready["rpc_address"]) as client:
        while client.info().final_number < 2:
            time.sleep(0.1)
        target = target_of(ready["addresses"][0], "dev")
        yield Besieged(target, psutil.Process(ready["pid"]), client, base_path / "node.log")


async def attack_all(target: Target, names: list[str], at_a_time: int = 16) -> dict[str, str]:
    """Make attacks side by side; return the attackers' peer ids."""
    peers = {name: HostilePeer(target) for name in names}
    limit = trio.CapacityLimiter(at_a_time)

    async def run(name: str) -> None:
        async with limit:
            try:
                await ATTACKS[name](peers[name])
            except* (LinkError, StreamEnd, OSError):
                pass  # dropped before the end: what the node says of it is looked at anyway

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(run, name)
    return {name: peer.peer_id for name, peer in peers.items()}


def test_every_attack_has_an_expected_answer() -> None:
    assert ANSWERS.keys() == ATTACKS.keys()


@pytest.mark.parametrize(
    "names", [[n for n in ATTACKS if n not in FLOODS], list(FLOODS)], ids=["all", "floods"]
)
def test_the_node_charges_the_attacker_and_goes_on(node: Besieged, names: list[str]) -> None:
    before, started = node.client.info().final_number, time.monotonic()
    attackers = trio.run(attack_all, node.target, names)
    # Without work there is a block every heartbeat, which is two seconds on a machine that is not busy.
    due = int((time.monotonic() - started) / 4)
    assert node.client.info().final_number >= before + due
    assert node.process.memory_info().rss < MAX_RESIDENT
    for name in names:
        said, answer = node.said_of(attackers[name]), ANSWERS[name]
        assert re.search(answer or "", said), f"{name}: {said or 'nothing'}"
        if answer == "":
            # Ten points are for who was asked for blocks and left.
            assert not re.search("charged [2-9]0 points", said), f"{name}: {said}"
    assert "Traceback" not in node.log_file.read_text()


def test_who_is_banned_is_not_let_in_again(node: Besieged) -> None:
    async def come_twice() -> list[bool]:
        peer, entered = HostilePeer(node.target), []
        for _ in range(2):
            await ATTACKS["garbage_frames"](peer)
        for known in (peer, HostilePeer(node.target)):
            try:
                async with known.joined() as line:
                    entered.append(not await line.ended(0.3))
            except* (LinkError, StreamEnd, OSError):
                entered.append(False)
        return entered

    # Twice 60 points are a ban; a stranger is welcome.
    assert trio.run(come_twice) == [False, True]

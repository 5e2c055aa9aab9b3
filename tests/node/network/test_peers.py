"""Finding, knowing, losing and refusing peers."""

import socket
from pathlib import Path

import pytest

from node.errors import ConfigError, NodeStartError
from pocl.keys import Keypair
from tests.node.network.harness import connect, make_node, running, until, validator


async def test_nodes_that_share_only_a_bootnode_all_meet(tmp_path: Path) -> None:
    boot = make_node(tmp_path, 1, **validator("//Alice"))
    async with running(boot):
        bootnodes = tuple(boot.network.addresses)
        bob = make_node(tmp_path, 2, bootnodes=bootnodes, **validator("//Bob"))
        full = make_node(tmp_path, 3, bootnodes=bootnodes)
        # Its own address among the bootnodes is nothing to dial.
        async with running(bob, full):
            await connect(boot, bob, full)
            assert bob.network.peer_id not in bob.peer_ids
            seen = full.peer(bob)
            assert (seen.validator, seen.name) == (Keypair.from_uri("//Bob").public, "node-2")
            assert (seen.final_number, seen.epoch) == (102, 2)
            assert bob.peer(full).validator is None
            assert {peer.peer_id for peer in full.joined} == full.peer_ids
        await until(lambda: not boot.network.peers(), "both have left")
        assert len(boot.left) == len(boot.joined) >= 2


async def test_a_bootnode_that_is_oneself_is_never_dialled(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = make_node(tmp_path, 1).network.peer_id
    node = make_node(tmp_path, 1, port=port, bootnodes=(f"/ip4/127.0.0.1/tcp/{port}/p2p/{own}",))
    other = make_node(tmp_path, 2, bootnodes=(f"/ip4/127.0.0.1/tcp/{port}/p2p/{own}",))
    async with running(node, other):
        await connect(node, other)
        assert node.peer_ids == {other.network.peer_id}


async def test_a_node_of_another_chain_is_refused_and_not_banned(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        stranger = make_node(tmp_path, 2, genesis_hash=b"g" * 32, bootnodes=tuple(node.network.addresses))
        friend = make_node(tmp_path, 3, bootnodes=tuple(node.network.addresses))
        async with running(stranger, friend):
            await connect(node, friend)
            await until(lambda: not node.network.connected(stranger.network.peer_id), "the stranger is gone")
            assert not stranger.joined
            assert [peer.peer_id for peer in node.joined] == [friend.network.peer_id]
            assert not node.network.banned(stranger.network.peer_id)


async def test_peers_that_dial_each_other_keep_one_connection(tmp_path: Path) -> None:
    first = make_node(tmp_path, 1)
    async with running(first):
        second = make_node(tmp_path, 2, bootnodes=tuple(first.network.addresses))
        async with running(second):
            await connect(first, second)
            # Dial once more from the other side, past the dialler, which would know better.
            await first.network._host.dial(second.network.addresses[0], second.network.peer_id)
            await until(
                lambda: len(first.network._sessions) == len(second.network._sessions) == 1,
                "one connection is left",
            )
            await connect(first, second)
            smaller = min(first, second, key=lambda node: node.network.peer_id)
            larger = max(first, second, key=lambda node: node.network.peer_id)
            assert not smaller.peer(larger).inbound
            assert larger.peer(smaller).inbound


async def test_a_peer_that_comes_back_on_its_port_is_found_again(tmp_path: Path) -> None:
    boot = make_node(tmp_path, 1)
    async with running(boot):
        port = boot.network.port
        other = make_node(tmp_path, 2, bootnodes=tuple(boot.network.addresses))
        async with running(other):
            await connect(boot, other)
            address = other.network.addresses
            again = make_node(tmp_path, 3, bootnodes=tuple(address))
            async with running(again):
                await connect(boot, other, again)
                third_port = again.network.port
            await until(lambda: again.network.peer_id not in other.peer_ids, "the third has gone")
            # It comes back knowing nobody: the others must find it.
            reborn = make_node(tmp_path, 3, port=third_port)
            async with running(reborn):
                await connect(boot, other, reborn)
    assert port


async def test_a_penalised_peer_is_banned_and_stays_away(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        peer = make_node(tmp_path, 2, bootnodes=tuple(node.network.addresses))
        async with running(peer):
            await connect(node, peer)
            node.network.penalize(peer.network.peer_id, 99, "nearly")
            assert not node.network.banned(peer.network.peer_id)
            node.network.penalize(peer.network.peer_id, 2, "enough")
            await until(lambda: len(node.left) == 1, "it is disconnected")
            # It dials again, and is not let in.
            sessions = node.network._sessions
            await until(lambda: peer.left != [] and not sessions, "it is gone")
            with pytest.raises(AssertionError):
                await until(lambda: bool(node.network.peers()), "never", timeout_s=1.0)


async def test_validators_take_the_places_of_others(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1, max_peers=2, validator_slots=1)
    async with running(node):
        bootnodes = tuple(node.network.addresses)
        full = make_node(tmp_path, 2, bootnodes=bootnodes)
        async with running(full):
            await connect(node, full)
            late = make_node(tmp_path, 3, bootnodes=(*bootnodes, *full.network.addresses))
            async with running(late):
                await connect(late, full)
                bob = make_node(tmp_path, 4, bootnodes=bootnodes, **validator("//Bob"))
                carol = make_node(tmp_path, 5, bootnodes=bootnodes, **validator("//Charlie"))
                async with running(bob, carol):
                    await connect(node, bob)
                    await connect(node, carol)
                    assert node.peer_ids == {bob.network.peer_id, carol.network.peer_id}
                    assert [peer.peer_id for peer in node.left] == [full.network.peer_id]


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    node = make_node(tmp_path, 1)
    async with running(node):
        second = make_node(tmp_path, 2, port=node.network.port)
        with pytest.raises(ExceptionGroup) as caught:
            await second.network.run()
        error = caught.value
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]  # type: ignore[assignment]
        assert isinstance(error, NodeStartError)
        assert str(error).startswith(f"p2p port {node.network.port} is in use: ")


def test_a_malformed_bootnode_is_refused(tmp_path: Path) -> None:
    for text in ("127.0.0.1:30333", "/ip4/1.2.3/tcp/1/p2p/12D3KooW", "/ip4/127.0.0.1/tcp/30333"):
        with pytest.raises(ConfigError, match="bootnode"):
            make_node(tmp_path, 1, bootnodes=(text,))

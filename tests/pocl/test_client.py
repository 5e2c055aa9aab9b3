"""The client against a real node, and what it refuses by itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pallets.coin.pallet import BASE_FEE
from pocl.client import Client, ClientError, Schema, plain
from pocl.extrinsics import u128
from pocl.v1.block_pb2 import EventRecord
from pocl.v1.coin_pb2 import CoinCall, CoinEvent
from pocl.v1.metadata_pb2 import Metadata
from pocl.v1.vote_pb2 import RankGroup, VoteCall
from tests.node.rpc.harness import ALICE, BOB, EVE, Node, refused, running_node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def schema(node: Node) -> Schema:
    return node.client.schema


def test_calls_are_built_from_plain_values(schema: Schema) -> None:
    expected = CoinCall.Transfer(dest=BOB.public, amount=u128(7)).SerializeToString(deterministic=True)
    for dest in (BOB.public, BOB.address, "0x" + BOB.public.hex()):
        for amount in (7, u128(7), "0x" + u128(7).hex()):
            assert schema.call("coin", "transfer", {"dest": dest, "amount": amount}).args == expected
    ranking = [{"miners": [ALICE.address, BOB.address]}, {"miners": [EVE.public]}]
    call = schema.call("vote", "cast", {"labels": b"\1\2", "labels_salt": bytes(32), "ranking": ranking})
    assert VoteCall.Cast.FromString(call.args).ranking[0] == RankGroup(miners=[ALICE.public, BOB.public])
    assert schema.arguments(call).SerializeToString(deterministic=True) == call.args


@pytest.mark.parametrize(
    ("pallet", "function", "args", "named"),
    [
        ("money", "transfer", {}, "'money'"),
        ("coin", "give", {}, "'give'"),
        ("coin", "transfer", {"to": b""}, "'to'"),
        ("coin", "transfer", {"amount": 2**128}, "u128"),
        ("coin", "transfer", {"amount": -1}, "u128"),
        ("coin", "transfer", {"dest": "5nonsense"}, "address"),
        ("coin", "transfer", {"dest": "0xzz"}, "hexadecimal"),
        ("coin", "cancel", {"index": -1}, "index"),
        ("coin", "cancel", {"index": "one"}, "index"),
    ],
)
def test_calls_that_cannot_be(
    schema: Schema, pallet: str, function: str, args: dict[str, object], named: str
) -> None:
    with refused("INVALID_ARGUMENT") as message:
        schema.call(pallet, function, args)
    assert named in message[0]
    assert "\n" not in message[0]


def test_keys_values_and_constants(schema: Schema) -> None:
    key = schema.key("system", "Account", ALICE.address)
    assert key == b"system.Account:" + ALICE.public
    assert schema.key_parts("system", "Account", key) == (ALICE.public,)
    double = schema.key("model_propose", "Proposals", 3, ALICE.public)
    assert double == b"model_propose.Proposals:" + bytes(7) + b"\3" + ALICE.public
    assert schema.key_parts("model_propose", "Proposals", double) == (3, ALICE.public)
    assert schema.key("model_propose", "Proposals", 3) == double[:-32]
    assert schema.constant("coin", "BaseFee") == BASE_FEE
    assert schema.value("coin", "TotalIssuance", None) == 0
    assert schema.value("coin", "Queue", None) is None
    for parts in ((1, 2, 3), ("x", ALICE.public), (-1,), (1, b"short")):
        with refused("INVALID_ARGUMENT"):
            schema.key("model_propose", "Proposals", *parts)


def test_whole_entries_need_all_their_keys(node: Node) -> None:
    with refused("INVALID_ARGUMENT") as message:
        node.client.storage("system", "Account")
    assert message == ["system.Account has 1 key parts (account), not 0"]


def test_events_and_plain_values(schema: Schema) -> None:
    queued = CoinEvent.TransferQueued(index=2**60, sender=ALICE.public, dest=BOB.public, amount=u128(10**20))
    record = EventRecord(
        phase=EventRecord.APPLY_EXTRINSIC,
        extrinsic_index=3,
        pallet="coin",
        name="TransferQueued",
        data=queued.SerializeToString(),
    )
    event = schema.event(record)
    assert (event.phase, event.extrinsic_index) == ("APPLY_EXTRINSIC", 3)
    shown = plain(event.message)
    assert json.loads(json.dumps(shown)) == {
        "index": str(2**60),
        "sender": ALICE.address,
        "dest": BOB.address,
        "amount": str(10**20),
    }
    assert plain(CoinEvent.TransferQueued()) == {}
    assert plain(CoinEvent.TransferQueued(), full=True)["index"] == 0
    record.data = b"\xff"
    with refused("INTERNAL"):
        schema.event(record)


def test_a_chain_with_other_pallets_needs_no_generated_code(schema: Schema) -> None:
    """The client's messages come from the metadata: two chains' types of one name do not meet."""
    metadata = Metadata()
    metadata.CopyFrom(schema.metadata)
    other = Schema(metadata)
    assert type(other.message("pocl.v1.CoinCall.Transfer")) is not CoinCall.Transfer
    assert other.call("coin", "cancel", {"index": 1}) == schema.call("coin", "cancel", {"index": 1})


def test_a_transfer_by_the_clients_own_hand(node: Node) -> None:
    watch = node.client.transfer(EVE, BOB.address, 10**12, tip=3, timeout_s=60)
    next(watch)
    block = node.author()
    assert len(block.block.extrinsics) == 1
    names = [event.name for event in node.client.events(node.client.block())]
    assert "TransferQueued" in names


@pytest.mark.parametrize(
    "address", ["nonsense", "host:", ":1", "host:0", "host:99999", "a b:1", "http://x:1"]
)
def test_an_address_that_is_none(address: str) -> None:
    with refused("INVALID_ARGUMENT") as message:
        Client.connect(address)
    assert "HOST:PORT" in message[0]


def test_nobody_there_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with refused("UNAVAILABLE") as message:
        Client.connect(address, timeout_s=5)
    assert message == [f"no node answers at {address}: is it running, is this its gRPC port?"]


def test_somebody_who_does_not_answer_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClientError) as caught:
            Client.connect(address, timeout_s=0.3)
    assert caught.value.code in ("DEADLINE_EXCEEDED", "UNAVAILABLE")
    assert address in str(caught.value)


def test_it_is_light() -> None:
    """Importing the client imports neither runtime nor node, nor anything but its three dependencies."""
    program = (
        "import sys, pocl.client; "
        "print({name.partition('.')[0] for name in sys.modules} "
        "& {'node', 'pallets', 'runtime', 'trio', 'libp2p', 'plyvel', 'click', 'numpy', 'Crypto'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_examples_run(node: Node) -> None:
    examples = Path(__file__).parents[2] / "examples"
    node.author()
    for command in (["follow_blocks.py", "--from", "1", "--count", "1"], ["round_report.py", "1"]):
        done = subprocess.run(
            [sys.executable, str(examples / command[0]), "--rpc", node.server.address, *command[1:]],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert ("RoundStarted" if command[0] == "follow_blocks.py" else "Round 1") in done.stdout

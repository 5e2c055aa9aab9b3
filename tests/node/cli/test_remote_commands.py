"""`pocl tx` and `pocl query` against a real node."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node.cli import run
from node.keystore import Keystore
from node.pool import PoolStatus
from pocl.hashing import hash256
from pocl.keys import Keypair
from tests.node.rpc.harness import ALICE, BOB, EVE, Node, running_node
from tests.node.rpc.miner import Miner

Pocl = Callable[..., Any]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path / "node") as running:
        running.author()
        yield running


@pytest.fixture
def pocl(node: Node, capsys: pytest.CaptureFixture[str]) -> Pocl:
    """Run a command against the node; return its JSON, or its one line of error with `fails`."""

    def command(*arguments: str, fails: int = 0, json_out: bool = True) -> Any:
        given = [*arguments, "--rpc", node.server.address, *(["--json"] if json_out else [])]
        status = run(given)
        out, error = capsys.readouterr()
        assert status == fails, error
        if fails:
            assert out == ""
            assert error.startswith("pocl: ")
            assert error.count("\n") == 1
            assert "internal error" not in error
            return error
        return json.loads(out) if json_out else out

    return command


def authoring(node: Node, then: Callable[[], object] = lambda: None) -> threading.Thread:
    """Make a block once a transaction is ready, then go on with `then`; join the thread in the end."""
    ready = threading.Event()
    node.pool.subscribe(lambda event: ready.set() if event.status is PoolStatus.READY else None)

    def go() -> None:
        if ready.wait(60):
            node.author()
            then()

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def test_a_transfer_waits_for_what_it_is_told_to(node: Node, pocl: Pocl) -> None:
    def settle() -> None:
        miner = Miner(node)
        miner.play(1)
        node.author()
        miner.play(2)
        node.author()

    thread = authoring(node)
    sent = pocl("tx", "transfer", "--from", "//Eve", "//Bob", "1.5POCL")
    thread.join()
    assert (sent["status"], sent["block_number"], sent["index"]) == ("included", 2, 0)
    thread = authoring(node, settle)
    sent = pocl("tx", "transfer", "--from", "//Eve", BOB.address, "7", "--wait", "settled", "--tip", "3")
    thread.join()
    assert (sent["status"], sent["round"], sent["index"]) == ("settled", 2, 1)
    account = pocl("query", "account", "//Bob")
    assert int(account["free"]) == 10**18 + 15 * 10**11 + 7


def test_a_transfer_from_a_keystore_and_a_cancellation(node: Node, pocl: Pocl, tmp_path: Path) -> None:
    base = tmp_path / "keys"
    Keystore(base / "keystore").insert("eve", EVE, "secret")
    password = tmp_path / "password"
    password.write_text("secret\n")
    who = ("--key", "eve", "--base-path", str(base), "--password-file", str(password))
    thread = authoring(node)
    index = pocl("tx", "transfer", *who, BOB.address, "5")["index"]
    thread.join()
    thread = authoring(node)
    assert pocl("tx", "cancel", *who, str(index), "--wait", "finalized")["status"] == "finalized"
    thread.join()
    assert pocl("query", "account", EVE.address)["reserved"] == "0"


def test_a_second_transfer_behind_one_that_waits(node: Node, pocl: Pocl) -> None:
    for expected in ("fee", "call"):  # nobody can tell yet what the second one will cost
        sent = pocl("tx", "transfer", "--from", "//Eve", BOB.address, "5", "--wait", "none")
        assert sent["status"] == "submitted"
        assert expected in sent
    assert len(node.author().block.extrinsics) == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("tx", "transfer", "--from", "//Eve", BOB.address, str(10**20)), "coin.InsufficientBalance"),
        (("tx", "transfer", "--from", "//Eve", BOB.address[:-1] + "x", "1"), "address"),
        (("tx", "transfer", "--from", "//Eve", BOB.address, "much"), "amount"),
        (("tx", "transfer", "--from", "//Eve", BOB.address, "0"), "amount"),
        (("tx", "transfer", "--from", "nonsense", BOB.address, "1"), "phrase"),
        (("tx", "transfer", BOB.address, "1"), "--from"),
        (("tx", "transfer", "--from", "//Eve", "--key", "x", BOB.address, "1"), "--from"),
        (("tx", "transfer", "--from", "//Nobody", BOB.address, "1"), "free"),
        (("tx", "cancel", "--from", "//Eve", "7"), "coin.NotQueued"),
        (("query", "account", "5nonsense"), "address"),
        (("query", "block", "99"), "99"),
        (("query", "block", "newest"), "newest"),
        (("query", "block", "0x" + "00" * 32), "no block"),
        (("query", "round", "9"), "round 9"),
        (("query", "storage", "coin", "Nothing"), "Nothing"),
        (("query", "metadata", "nothing"), "nothing"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    node: Node, pocl: Pocl, arguments: tuple[str, ...], named: str
) -> None:
    assert named in pocl(*arguments, fails=1)
    assert len(node.pool) == 0


def test_queries(node: Node, pocl: Pocl) -> None:
    node.client.submit(
        node.client.sign(EVE, node.client.call("coin", "transfer", dest=BOB.address, amount=5))
    )
    block = node.author()
    info = pocl("query", "info")
    assert info["chain"]["final_number"] == 2
    assert info["node"]["validator"] == ALICE.address
    shown = pocl("query", "block", "2")
    assert shown == pocl("query", "block") == pocl("query", "block", shown["hash"])
    assert shown["header"]["author"] == ALICE.address
    (extrinsic,) = shown["extrinsics"]
    assert (extrinsic["call"], extrinsic["signer"]) == ("coin.transfer", EVE.address)
    assert extrinsic["args"] == {"dest": BOB.address, "amount": "5"}
    events = pocl("query", "events", "2")["events"]
    assert {"event": "coin.TransferQueued", "extrinsic": 0} in [
        {key: event[key] for key in ("event", "extrinsic")} for event in events
    ]
    assert pocl("query", "storage", "coin", "Queued") == {"value": 1}
    (entry,) = pocl("query", "storage", "coin", "Queue")["entries"]
    (transfer,) = entry["value"]["transfers"]
    assert (entry["key"], transfer["sender"]) == ("0", EVE.address)
    assert len(pocl("query", "storage", "system", "Account")["entries"]) == 6
    proof = pocl("query", "proof", "system", "Account", EVE.address)
    assert proof["valid"]
    assert proof["state_root"] == "0x" + block.header.state_root.hex()
    part = pocl("query", "range", "--max-bytes", "100")
    assert (part["valid"], part["last"], len(part["entries"]) < 4) == (True, False, True)
    behind = f"{int(hash256('', bytes.fromhex(part['entries'][-1]['key'][2:])).hex(), 16) + 1:064x}"
    rest = pocl("query", "range", "--start", f"0x{behind}", "--max-bytes", "1000000")
    assert (rest["last"], rest["block_hash"]) == (True, "0x" + block.hash.hex())
    found = {entry["key"]: entry["value"] for entry in part["entries"] + rest["entries"]}
    state = dict(node.chain.final_state().iterate(b""))
    assert found == {f"0x{key.hex()}": f"0x{value.hex()}" for key, value in state.items()}
    assert pocl("query", "metadata")["pallets"][0]["pallet"] == "system"
    coin = pocl("query", "metadata", "coin")
    assert "transfer" in [call["name"] for call in coin["calls"]]
    assert pocl("query", "round")["round"] == 1
    assert pocl("query", "rounds") == {"rounds": []}
    Miner(node).play(1)
    (ended,) = pocl("query", "rounds")["rounds"]
    assert (ended["outcome"], ended["winners"]) == ("settled", ALICE.address)


def test_a_validator_joins_and_leaves(node: Node, pocl: Pocl) -> None:
    def rows() -> dict[str, dict[str, Any]]:
        return {row["validator"]: row for row in pocl("query", "validators")["validators"]}

    assert rows()[ALICE.address]["status"] == "active"
    for command, status in (
        (("join", "--bond", "1500POCL"), "waiting"),
        (("leave",), None),  # it never was in the set: the bond is free at once
        (("join",), "waiting"),
    ):
        thread = authoring(node)
        assert pocl("tx", *command, "--from", "//Eve")["status"] == "included"
        thread.join()
        node.author()
        found = rows().get(EVE.address)
        assert (found and found["status"]) == status
    assert rows()[EVE.address]["bond"] == str(10**15)
    assert "waiting" in pocl("query", "validators", json_out=False)
    assert "1000 POCL" in pocl("query", "validators", json_out=False)
    assert "validators.AlreadyBonded" in pocl("tx", "join", "--from", "//Eve", fails=1)
    assert "validators.NotOut" in pocl("tx", "rejoin", "--from", "//Eve", fails=1)
    assert "validators.BondTooLow" in pocl("tx", "join", "--bond", "5", "--from", "//Bob", fails=1)
    # A set of one lets nobody leave, and says so to who asked.
    thread = authoring(node)
    pocl("tx", "leave", "--from", "//Alice")
    thread.join()
    node.author()
    assert "lets nobody leave" in rows()[ALICE.address]["note"]
    Miner(node).play(1)
    assert rows()[EVE.address]["status"] == "active"
    assert rows()[EVE.address]["note"] is None


def test_people_can_read_it_too(node: Node, pocl: Pocl) -> None:
    Miner(node).play(1)
    for command in (
        ("query", "info"),
        ("query", "block"),
        ("query", "events"),
        ("query", "round", "1"),
        ("query", "rounds"),
        ("query", "metadata"),
        ("query", "metadata", "coin"),
        ("query", "storage", "round", "Config"),
        ("query", "proof", "coin", "TotalIssuance"),
        ("query", "range", "--max-bytes", "200"),
    ):
        assert pocl(*command, json_out=False).strip(), command
    assert "1000000 POCL" in pocl("query", "account", Keypair.from_uri("//Eve").address, json_out=False)
    assert "proposal commit reveal ballot audit attestation" in pocl("query", "round", "1", json_out=False)


def test_an_unreachable_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "info", "--rpc", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err == (
        "pocl: no node answers at 127.0.0.1:1: is it running, is this its gRPC port?\n"
    )

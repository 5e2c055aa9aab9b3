"""Keys on disk: encrypted, complete or absent, readable by their owner alone."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from node.keystore import Keystore, KeystoreError, load_or_create_node_key
from pocl.keys import Keypair

ALICE, BOB = Keypair.from_uri("//Alice"), Keypair.from_uri("//Bob")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the text of Alice's key file under the password "pässword"; made once, for scrypt is slow."""
    keystore = Keystore(tmp_path_factory.mktemp("keys"))
    return keystore.insert("alice", ALICE, "pässword").read_text()


@pytest.fixture
def keystore(tmp_path: Path, stored: str) -> Keystore:
    write(tmp_path / "keys" / "alice.json", stored)
    return Keystore(tmp_path / "keys")


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def test_insert_then_load(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "deep" / "keys")
    assert keystore.list() == []
    file = keystore.insert("bob-1", BOB, "secret")
    assert keystore.load("bob-1", "secret") == BOB
    assert keystore.list() == [("bob-1", BOB.address)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(keystore.path.stat().st_mode) == 0o700
    assert os.listdir(keystore.path) == ["bob-1.json"]


def test_the_file_does_not_hold_the_seed(stored: str) -> None:
    assert ALICE.seed.hex() not in stored
    document = json.loads(stored)
    assert document["address"] == ALICE.address
    assert document["kdf"] == {"name": "scrypt", "n": 32768, "r": 8, "p": 1}


def test_a_password_is_the_same_however_its_letters_are_composed(keystore: Keystore) -> None:
    assert keystore.load("alice", "pa\u0308ssword") == ALICE


def test_a_wrong_password_is_one_clear_line(keystore: Keystore) -> None:
    with pytest.raises(KeystoreError, match=r"alice\.json: wrong password") as caught:
        keystore.load("alice", "password")
    assert "\n" not in str(caught.value)


def test_an_exchanged_address_is_noticed(keystore: Keystore, stored: str) -> None:
    write(keystore.path / "alice.json", stored.replace(ALICE.address, BOB.address))
    assert keystore.list() == [("alice", BOB.address)]
    with pytest.raises(KeystoreError, match="wrong password, or the file was changed"):
        keystore.load("alice", "pässword")


def test_a_key_is_never_overwritten(keystore: Keystore, stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeystoreError, match="already"):
        keystore.insert("alice", BOB, "x")
    # A file that appears between the check and the writing survives too.
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(KeystoreError, match="already"):
        keystore.insert("alice", BOB, "x")
    assert (keystore.path / "alice.json").read_text() == stored
    assert os.listdir(keystore.path) == ["alice.json"]


@pytest.mark.parametrize("name", ["", "../alice", "a/b", ".hidden", "a" * 65, "a b", "é"])
def test_bad_names_are_refused(keystore: Keystore, name: str) -> None:
    with pytest.raises(KeystoreError, match="not a key's name"):
        keystore.insert(name, BOB, "x")
    with pytest.raises(KeystoreError, match="not a key's name"):
        keystore.load(name, "x")


def test_an_empty_password_is_refused(keystore: Keystore) -> None:
    with pytest.raises(KeystoreError, match="empty password"):
        keystore.insert("bob", BOB, "")


def test_a_missing_key_is_named(keystore: Keystore) -> None:
    with pytest.raises(KeystoreError, match=r"bob\.json: there is no such key"):
        keystore.load("bob", "x")


def test_a_key_others_may_read_is_refused(keystore: Keystore) -> None:
    (keystore.path / "alice.json").chmod(0o640)
    with pytest.raises(KeystoreError, match=r"mode 640\): chmod 600"):
        keystore.load("alice", "pässword")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "of another version"),
        ({"kdf": {"name": "scrypt", "n": 2**30, "r": 8, "p": 1}}, "of another version"),
        ({"cipher": "none"}, "of another version"),
        ({"address": None}, "address is missing"),
        ({"salt": "00"}, "salt is not 16 bytes"),
        ({"nonce": "xx"}, "nonce is not 12 bytes"),
        ({"tag": 5}, "tag is missing"),
        ({"ciphertext": ""}, "ciphertext is not 32 bytes"),
    ],
)
def test_damaged_fields_are_refused(
    keystore: Keystore, stored: str, change: dict[str, object], message: str
) -> None:
    write(keystore.path / "alice.json", json.dumps(json.loads(stored) | change))
    with pytest.raises(KeystoreError, match=message):
        keystore.load("alice", "pässword")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_other_files_are_refused(keystore: Keystore, text: str) -> None:
    write(keystore.path / "alice.json", text)
    with pytest.raises(KeystoreError, match="not a key file"):
        keystore.load("alice", "x")
    with pytest.raises(KeystoreError, match="not a key file"):
        keystore.list()


def test_the_node_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "network" / "node.key"
    seed = load_or_create_node_key(file)
    assert len(seed) == 32
    assert file.read_text() == seed.hex() + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_or_create_node_key(file) == seed


def test_two_processes_agree_on_the_node_key(tmp_path: Path) -> None:
    file, seeds = tmp_path / "node.key", []
    threads = [threading.Thread(target=lambda: seeds.append(load_or_create_node_key(file))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seeds) == 8
    assert len(set(seeds)) == 1


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32])
def test_a_malformed_node_key_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "node.key", text)
    with pytest.raises(KeystoreError, match="64 hexadecimal digits"):
        load_or_create_node_key(tmp_path / "node.key")


def test_an_exposed_or_impossible_node_key_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "node.key", "ab" * 32, mode=0o644)
    with pytest.raises(KeystoreError, match="chmod 600"):
        load_or_create_node_key(tmp_path / "node.key")
    with pytest.raises(KeystoreError, match="directory cannot be made"):
        load_or_create_node_key(tmp_path / "node.key" / "below-a-file")
    with pytest.raises(KeystoreError, match="directory cannot be made"):
        Keystore(tmp_path / "node.key").insert("alice", ALICE, "x")

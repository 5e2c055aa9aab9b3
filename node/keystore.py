"""Keys on disk: accounts' keys under a password, and the node's own network key.

An account's key is one JSON file, `<name>.json`: its seed encrypted with AES-256-GCM under a key that scrypt
makes from the password. The address stands in clear, authenticated with the seed. Files are readable by their
owner alone and appear complete or not at all; an existing key is never overwritten.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import unicodedata
from pathlib import Path
from typing import Any

from Crypto.Cipher import AES
from Crypto.Protocol.KDF import scrypt

from node.durable import sync_path
from node.errors import PoclError
from pocl.keys import SEED_SIZE, Keypair

VERSION = 1
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1
"""Cost of one guess at a password: 32 MiB of memory, some tenths of a second."""

SALT_SIZE = 16
NONCE_SIZE = 12
TAG_SIZE = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class KeystoreError(PoclError):
    """A key cannot be stored or read; one line says which and why."""


class Keystore:
    """The account keys below one directory, which `insert` creates when it is missing."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def insert(self, name: str, keypair: Keypair, password: str) -> Path:
        """Store a key under a new name and return its file.

        Raise KeystoreError for a bad name, an empty password, a name that is taken, or a disk that refuses.
        """
        file = self._file(name)
        if not password:
            raise KeystoreError(f"{file}: an empty password protects nothing: choose one")
        if file.exists():
            raise KeystoreError(f"{file}: there is a key of that name already: choose another name")
        _make_directory(self.path)
        try:
            _create(file, json.dumps(_encrypt(keypair, password), indent=2) + "\n")
        except FileExistsError:
            raise KeystoreError(f"{file}: there is a key of that name already: choose another name") from None
        except OSError as error:
            raise KeystoreError(f"{file}: cannot be written: {error.strerror}") from error
        return file

    def load(self, name: str, password: str) -> Keypair:
        """Return the key of that name.

        Raise KeystoreError when it is missing, damaged or readable by others, or when the password is wrong.
        """
        file = self._file(name)
        return _decrypt(file, _read(file), password)

    def list(self) -> list[tuple[str, str]]:
        """Return (name, address) of every key, by name. The addresses are checked only by `load`."""
        if not self.path.is_dir():
            return []
        files = sorted(file for file in self.path.glob("*.json") if _NAME.fullmatch(file.stem))
        return [(file.stem, _text(file, _read(file), "address")) for file in files]

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeystoreError(
                f"{name[:80]!r} is not a key's name: use up to 64 letters, digits, hyphens and underscores"
            )
        return self.path / f"{name}.json"


def load_or_create_node_key(path: str | Path) -> bytes:
    """Return the 32-byte seed of the node's network key, kept as hexadecimal text. An absent file is made.

    It says who this node is to its peers and owns nothing, so it has no password. Raise KeystoreError when
    the file cannot be read or written, is malformed, or is readable by others.
    """
    file = Path(path)
    if not file.exists():
        _make_directory(file.parent)
        try:
            _create(file, secrets.token_hex(SEED_SIZE) + "\n")
        except FileExistsError:
            pass  # Another process was first: its key is the node's.
        except OSError as error:
            raise KeystoreError(f"{file}: cannot be written: {error.strerror}") from error
    text = _read_private(file).strip()
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * SEED_SIZE}}}", text):
        raise KeystoreError(f"{file}: not a node key: it holds exactly {2 * SEED_SIZE} hexadecimal digits")
    return bytes.fromhex(text)


def _encrypt(keypair: Keypair, password: str) -> dict[str, Any]:
    salt, nonce = secrets.token_bytes(SALT_SIZE), secrets.token_bytes(NONCE_SIZE)
    cipher = AES.new(_stretch(password, salt), AES.MODE_GCM, nonce=nonce, mac_len=TAG_SIZE)
    cipher.update(keypair.address.encode())
    ciphertext, tag = cipher.encrypt_and_digest(keypair.seed)
    return {
        "version": VERSION,
        "address": keypair.address,
        "kdf": {"name": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P},
        "salt": salt.hex(),
        "cipher": "aes-256-gcm",
        "nonce": nonce.hex(),
        "ciphertext": ciphertext.hex(),
        "tag": tag.hex(),
    }


def _decrypt(file: Path, document: dict[str, Any], password: str) -> Keypair:
    # The costs are not taken from the file: a planted file must not make the node compute for ever.
    kdf = {"name": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P}
    found = (document.get("version"), document.get("cipher"), document.get("kdf"))
    if found != (VERSION, "aes-256-gcm", kdf):
        raise KeystoreError(f"{file}: of another version: this node reads version {VERSION}")
    address = _text(file, document, "address")
    sizes = {"salt": SALT_SIZE, "nonce": NONCE_SIZE, "ciphertext": SEED_SIZE, "tag": TAG_SIZE}
    salt, nonce, ciphertext, tag = (_hex(file, document, name, size) for name, size in sizes.items())
    cipher = AES.new(_stretch(password, salt), AES.MODE_GCM, nonce=nonce, mac_len=TAG_SIZE)
    cipher.update(address.encode())
    try:
        keypair = Keypair.from_seed(cipher.decrypt_and_verify(ciphertext, tag))
    except ValueError:
        raise KeystoreError(f"{file}: wrong password, or the file was changed") from None
    if keypair.address != address:
        raise KeystoreError(f"{file}: the key inside is {keypair.address}, not {address}")
    return keypair


def _stretch(password: str, salt: bytes) -> bytes:
    # NFKC: the same password typed on another keyboard or system is the same bytes.
    secret = unicodedata.normalize("NFKC", password).encode()
    return scrypt(secret, salt, 32, N=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeystoreError(f"{path}: the directory cannot be made: {error.strerror}") from error


def _create(file: Path, text: str) -> None:
    """Write a new file, mode 0600, complete and synced or not at all. FileExistsError: it is there."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        # A link, unlike a rename, fails when the name is taken.
        os.link(temporary, file)
    finally:
        temporary.unlink()
    sync_path(file.parent)


def _read_private(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeystoreError(f"{file}: there is no such key") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise KeystoreError(f"{file}: cannot be read: {reason}") from error
    if mode & 0o077:
        raise KeystoreError(f"{file}: others may read this key (mode {mode:03o}): chmod 600 {file}")
    return text


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(_read_private(file))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise KeystoreError(f"{file}: not a key file")
    return document


def _text(file: Path, document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise KeystoreError(f"{file}: not a key file: {name} is missing")
    return value


def _hex(file: Path, document: dict[str, Any], name: str, size: int) -> bytes:
    try:
        data = bytes.fromhex(_text(file, document, name))
    except ValueError:
        data = b""
    if len(data) != size:
        raise KeystoreError(f"{file}: not a key file: {name} is not {size} bytes of hexadecimal")
    return data

"""Accounts: Ed25519 keys, Substrate's secret URIs and SS58 addresses.

A secret URI is `<phrase or 0x-seed>[//hard junction]...[///password]`, read as `subkey --scheme ed25519`
reads it (polkadot-sdk `substrate/primitives/core/src/crypto.rs`, `ed25519.rs`; crate `substrate-bip39`):
- without a phrase the well-known development phrase is meant, so `//Alice` is a key everybody has;
- a BIP39 phrase gives PBKDF2-HMAC-SHA512(entropy, "mnemonic" + password, 2048 rounds), of which the first 32
  bytes are the seed. It is the *entropy* that is stretched, not the words as BIP39 itself does;
- a hard junction turns a seed into BLAKE2b-256(SCALE("Ed25519HDKD") || seed || chain code). The chain code is
  the SCALE encoding of the junction (u64 little-endian if it is a number, else a string), padded with zeros
  to 32 bytes, or its BLAKE2b-256 when it is longer. Ed25519 has no soft junctions.
Stricter than subkey in two places where its leniency hides a mistake: the empty text (there: the development
key) and a password behind a 0x-seed (there: ignored) are refused.

Signatures are valid when libsodium says so, everywhere: light clients and nodes must not differ on any
signature.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache

import nacl.bindings
import nacl.exceptions
from mnemonic import Mnemonic

DEV_PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
"""The public phrase behind //Alice and the other development keys. Never worth anything."""

SS58_PREFIX = 42
"""Substrate's generic address format."""

PUBLIC_SIZE = 32
SEED_SIZE = 32
SIGNATURE_SIZE = 64

_URI = re.compile(r"(?P<phrase>[a-zA-Z0-9 ]+)?(?P<path>(?://?[^/]+)*)(?:///(?P<password>.*))?")
_JUNCTION = re.compile(r"(//?)([^/]+)")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: digit for digit, character in enumerate(_BASE58)}


class KeyError_(ValueError):
    """A secret URI, a seed or an account is not well formed. The message never repeats a secret.

    The underscore keeps the name apart from the builtin KeyError.
    """


class AddressError(KeyError_):
    """A text is not an SS58 address of this chain."""


class Keypair:
    """An Ed25519 key pair (RFC 8032), made from its 32-byte seed. Its repr shows the address alone."""

    __slots__ = ("_secret", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise KeyError_(f"an Ed25519 seed has {SEED_SIZE} bytes, not {len(seed)}")
        self.seed = bytes(seed)
        self.public, self._secret = nacl.bindings.crypto_sign_seed_keypair(self.seed)

    @classmethod
    def from_seed(cls, seed: bytes) -> Keypair:
        """Return the key pair of a 32-byte seed. Raise KeyError_ for another length."""
        return cls(seed)

    @classmethod
    def from_uri(cls, uri: str) -> Keypair:
        """Return the key pair of a secret URI such as `//Alice` or `word ... word//hard///password`.

        Raise KeyError_ for anything else, soft junctions included.
        """
        return cls(_seed_of_uri(uri))

    @classmethod
    def generate(cls) -> Keypair:
        """Return a new key pair from the system's randomness. It has no phrase (see generate_phrase)."""
        return cls(os.urandom(SEED_SIZE))

    @property
    def address(self) -> str:
        """The account's SS58 address."""
        return ss58_encode(self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of the message."""
        signed: bytes = nacl.bindings.crypto_sign(message, self._secret)
        return signed[:SIGNATURE_SIZE]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keypair) and self.seed == other.seed

    def __hash__(self) -> int:
        return hash(self.public)

    def __repr__(self) -> str:
        return f"Keypair({self.address})"


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is valid by libsodium's rule: S below the group order, canonical A, neither A
    nor R of small order, and the equation without the cofactor.

    Wrong lengths are an invalid signature, not an error: all three come from strangers.
    """
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, public)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


def generate_phrase(words: int = 12) -> str:
    """Return a new BIP39 phrase of 12, 15, 18, 21 or 24 English words."""
    if words not in (12, 15, 18, 21, 24):
        raise KeyError_(f"a phrase has 12, 15, 18, 21 or 24 words, not {words}")
    phrase: str = _wordlist().to_mnemonic(os.urandom(words * 4 // 3))
    return phrase


def ss58_encode(public: bytes, prefix: int = SS58_PREFIX) -> str:
    """Return the SS58 address of a 32-byte public key; `prefix` is 0 to 16383."""
    if len(public) != PUBLIC_SIZE:
        raise AddressError(f"an account has {PUBLIC_SIZE} bytes, not {len(public)}")
    body = _prefix_bytes(prefix) + public
    return _base58_encode(body + _checksum(body))


def ss58_decode(text: str, prefix: int = SS58_PREFIX) -> bytes:
    """Return the 32-byte public key of an SS58 address. Raise AddressError for a wrong prefix or checksum."""
    data = _base58_decode(text)
    head = _prefix_bytes(prefix)
    if len(data) != len(head) + PUBLIC_SIZE + 2:
        raise AddressError(f"{text[:60]!r} is not an address: its length is wrong")
    body, check = data[:-2], data[-2:]
    if _checksum(body) != check:
        raise AddressError(f"{text!r} is not an address: its checksum is wrong, so it was mistyped or cut")
    if not body.startswith(head):
        raise AddressError(f"{text!r} belongs to another network: this chain's SS58 prefix is {prefix}")
    return body[len(head) :]


def _seed_of_uri(uri: str) -> bytes:
    match = _URI.fullmatch(uri)
    if match is None or not uri:
        raise KeyError_("not a secret URI: write a phrase or 0x-seed, then //junctions, then ///password")
    phrase, password = match["phrase"], match["password"]
    if phrase is not None and phrase.startswith("0x"):
        if password is not None:
            raise KeyError_("a password changes nothing in a 0x-seed: leave ///password out")
        seed = _seed_of_hex(phrase[2:])
    else:
        seed = _seed_of_phrase(DEV_PHRASE if phrase is None else phrase, password or "")
    for slashes, code in _JUNCTION.findall(match["path"]):
        if slashes == "/":
            raise KeyError_("Ed25519 keys have no soft junctions (/name): write a hard one (//name)")
        seed = _blake2b256(_scale_string("Ed25519HDKD") + seed + _chain_code(code))
    return seed


def _seed_of_hex(text: str) -> bytes:
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_SIZE or len(text) != 2 * SEED_SIZE:
        raise KeyError_(f"a 0x-seed has exactly {2 * SEED_SIZE} hexadecimal digits")
    return seed


def _seed_of_phrase(phrase: str, password: str) -> bytes:
    words = phrase.split()
    try:
        entropy = bytes(_wordlist().to_entropy(words))
    except (LookupError, ValueError):
        # The library's message would repeat a word of the secret.
        raise KeyError_(
            f"the phrase ({len(words)} words) is not BIP39: check the words' number, spelling and order"
        ) from None
    return hashlib.pbkdf2_hmac("sha512", entropy, b"mnemonic" + password.encode(), 2048)[:SEED_SIZE]


def _chain_code(code: str) -> bytes:
    # Rust's str::parse::<u64>: an optional plus sign and ASCII digits; what overflows stays a string.
    number = int(code) if re.fullmatch(r"\+?[0-9]+", code) else 2**64
    data = number.to_bytes(8, "little") if number < 2**64 else _scale_string(code)
    return _blake2b256(data) if len(data) > 32 else data.ljust(32, b"\0")


def _scale_string(text: str) -> bytes:
    data = text.encode()
    length = len(data)
    if length < 2**6:
        return bytes([length << 2]) + data
    if length < 2**14:
        return (length << 2 | 1).to_bytes(2, "little") + data
    return (length << 2 | 2).to_bytes(4, "little") + data


def _blake2b256(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


@lru_cache(maxsize=1)
def _wordlist() -> Mnemonic:
    return Mnemonic("english")


def _prefix_bytes(prefix: int) -> bytes:
    if 0 <= prefix < 64:
        return bytes([prefix])
    if 64 <= prefix < 2**14:
        return bytes([(prefix & 0b1111_1100) >> 2 | 0b0100_0000, prefix >> 8 | (prefix & 0b11) << 6])
    raise AddressError(f"an SS58 prefix is 0 to 16383, not {prefix}")


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(b"SS58PRE" + body).digest()[:2]


def _base58_encode(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _BASE58[0] * zeros + text


def _base58_decode(text: str) -> bytes:
    # Bounded before any arithmetic: the text may come from a stranger.
    if not 1 <= len(text) <= 60:
        raise AddressError(f"{text[:60]!r} is not an address: {len(text)} characters")
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise AddressError(f"{text!r} is not an address: {character!r} is not a base58 character")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")

"""Keys, secret URIs and addresses, against the vectors of others."""

import hashlib
import string

import nacl.bindings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocl.keys import (
    DEV_PHRASE,
    AddressError,
    KeyError_,
    Keypair,
    generate_phrase,
    ss58_decode,
    ss58_encode,
    verify,
)

# RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493
TORSION_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
ALICE = "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu"


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_rfc_8032_vectors(seed: str, public: str, message: str, signature: str) -> None:
    keypair = Keypair.from_seed(bytes.fromhex(seed))
    assert keypair.public.hex() == public
    assert keypair.sign(bytes.fromhex(message)).hex() == signature
    assert verify(keypair.public, bytes.fromhex(message), bytes.fromhex(signature))


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        # Substrate's own Ed25519 development keys (sp-keyring).
        ("//Alice", ALICE),
        ("//Bob", "5GoNkf6WdbxCFnPdAnYYQyCjAKPJgLNxXwPjwTh6DGg6gN3E"),
        ("//Charlie", "5DbKjhNLpqX3zqZdNBc9BGb4fHU1cRBaDhJUskrvkwfraDi6"),
        ("//Dave", "5ECTwv6cZ5nJQPk6tWfaTrEk8YH2L7X1VT4EL5Tx2ikfFwb7"),
        ("//Eve", "5Ck2miBfCe1JQ4cY3NDsXyBaD6EcsgiVmEFTWwqNSs25XDEq"),
        ("//Ferdie", "5E2BmpVFzYGd386XRCZ76cDePMB3sfbZp5ZKGUsrG1m6gomN"),
    ],
)
def test_development_keys_are_substrates(uri: str, address: str) -> None:
    assert Keypair.from_uri(uri).address == address
    assert Keypair.from_uri(DEV_PHRASE + uri).address == address


@pytest.mark.parametrize(
    ("entropy", "phrase", "secret"),
    [
        # substrate-bip39's published vectors, password "Substrate": the first half of each secret.
        (
            "00000000000000000000000000000000",
            "abandon " * 11 + "about",
            "44e9d125f037ac1d51f0a7d3649689d422c2af8b1ec8e00d71db4d7bf6d127e3",
        ),
        (
            "ffffffffffffffffffffffffffffffff",
            "zoo " * 11 + "wrong",
            "227d6256fd4f9ccaf06c45eaa4b2345969640462bbb00c5f51f43cb43418c7a7",
        ),
    ],
)
def test_phrases_are_stretched_from_their_entropy(entropy: str, phrase: str, secret: str) -> None:
    stretched = hashlib.pbkdf2_hmac("sha512", bytes.fromhex(entropy), b"mnemonicSubstrate", 2048)[:32]
    seed = Keypair.from_uri(f"{phrase}///Substrate").seed
    assert seed == stretched
    assert seed.hex() == secret


def test_a_password_and_every_junction_change_the_key() -> None:
    uris = ["//A", "//A//B", "//A///pw", "//A///pw2", "//1", "//01x", DEV_PHRASE, f"{DEV_PHRASE}///pw"]
    assert len({Keypair.from_uri(uri).seed for uri in uris}) == len(uris)


def test_chain_codes_are_scale_encoded() -> None:
    seed = bytes(range(32))
    uri = "0x" + seed.hex()

    def derived(code: bytes) -> bytes:
        return hashlib.blake2b(b"\x2cEd25519HDKD" + seed + code, digest_size=32).digest()

    long = "x" * 40
    assert Keypair.from_uri(f"{uri}//7").seed == derived((7).to_bytes(8, "little") + bytes(24))
    assert Keypair.from_uri(f"{uri}//+007").seed == Keypair.from_uri(f"{uri}//7").seed
    assert Keypair.from_uri(f"{uri}//ab").seed == derived(b"\x08ab" + bytes(29))
    too_big = str(2**64)
    assert Keypair.from_uri(f"{uri}//{too_big}").seed == derived(
        (b"\x50" + too_big.encode()).ljust(32, b"\0")
    )
    encoded = hashlib.blake2b(bytes([40 << 2]) + long.encode(), digest_size=32).digest()
    assert Keypair.from_uri(f"{uri}//{long}").seed == derived(encoded)
    longer = "y" * 100
    encoded = hashlib.blake2b((100 << 2 | 1).to_bytes(2, "little") + longer.encode(), digest_size=32).digest()
    assert Keypair.from_uri(f"{uri}//{longer}").seed == derived(encoded)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "not a secret URI"),
        ("word-word//Alice", "not a secret URI"),
        ("//Alice/", "not a secret URI"),
        ("//Alice/soft", "no soft junctions"),
        ("0x1234", "64 hexadecimal digits"),
        ("0x" + "ab" * 31 + " a", "64 hexadecimal digits"),
        ("0x" + "ab" * 32 + "///pw", "password changes nothing"),
        ("Alice", r"phrase \(1 words\) is not BIP39"),
        (DEV_PHRASE.replace("walk", "lake"), r"phrase \(12 words\) is not BIP39"),
    ],
)
def test_malformed_uris_are_refused(uri: str, message: str) -> None:
    with pytest.raises(KeyError_, match=message):
        Keypair.from_uri(uri)


def test_errors_and_repr_show_no_secret() -> None:
    secret = "bottom drive obey lakes curtain smoke basket hold race lonely fit walk"
    with pytest.raises(KeyError_) as caught:
        Keypair.from_uri(secret)
    assert "lakes" not in str(caught.value)
    assert caught.value.__suppress_context__
    keypair = Keypair.from_uri("//Alice")
    assert repr(keypair) == f"Keypair({ALICE})"


def test_generated_keys_and_phrases_differ_and_work() -> None:
    assert Keypair.generate() != Keypair.generate()
    phrase = generate_phrase()
    assert len(phrase.split()) == 12
    assert Keypair.from_uri(phrase) == Keypair.from_uri(phrase)
    assert len(generate_phrase(24).split()) == 24
    with pytest.raises(KeyError_, match="not 13"):
        generate_phrase(13)


def test_verify_refuses_anything_changed_or_misshapen() -> None:
    keypair = Keypair.from_uri("//Alice")
    signature = keypair.sign(b"message")
    assert verify(keypair.public, b"message", signature)
    assert not verify(keypair.public, b"messagf", signature)
    assert not verify(Keypair.from_uri("//Bob").public, b"message", signature)
    assert not verify(keypair.public, b"message", signature[:-1])
    assert not verify(keypair.public[:-1], b"message", signature)
    assert not verify(keypair.public, b"", b"")


def test_verify_follows_libsodiums_rule() -> None:
    """The edges where implementations of Ed25519 differ: nodes must agree on each, so each is pinned here."""
    keypair, message = Keypair.from_uri("//Alice"), b"edge"
    signature = keypair.sign(message)
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(keypair.public, message, signature[:32] + scalar.to_bytes(32, "little"))
    identity = b"\x01" + bytes(31)
    assert not verify(identity, message, identity + bytes(32))
    assert not verify(TORSION_8, message, identity + bytes(32))
    # The nonce point plus one of order eight satisfies only the equation with the cofactor.
    expanded = bytearray(hashlib.sha512(keypair.seed).digest()[:32])
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    secret, nonce = int.from_bytes(expanded, "little"), 12345
    point = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(32, "little"))
    for r, valid in [(point, True), (nacl.bindings.crypto_core_ed25519_add(point, TORSION_8), False)]:
        challenge = int.from_bytes(hashlib.sha512(r + keypair.public + message).digest(), "little")
        s = (nonce + challenge * secret) % ORDER
        assert verify(keypair.public, message, r + s.to_bytes(32, "little")) is valid


@given(st.binary(min_size=32, max_size=32), st.integers(0, 16383))
@settings(max_examples=50)
def test_ss58_round_trips(public: bytes, prefix: int) -> None:
    text = ss58_encode(public, prefix)
    assert ss58_decode(text, prefix) == public
    with pytest.raises(AddressError):
        ss58_decode(text, prefix + 1 if prefix < 16383 else 0)


@given(st.integers(0, len(ALICE) - 1), st.sampled_from(string.printable))
@settings(max_examples=50)
def test_a_mistyped_address_is_refused(place: int, character: str) -> None:
    mistyped = ALICE[:place] + character + ALICE[place + 1 :]
    if mistyped != ALICE:
        with pytest.raises(AddressError, match="not an address"):
            ss58_decode(mistyped)


def test_ss58_refuses_other_networks_and_sizes() -> None:
    public = ss58_decode(ALICE)
    assert ss58_encode(public, 0) == "146SvjUZXoMaemdeiecyxgALeYMm8ZWh1yrGo8RtpoPfe7WL"
    with pytest.raises(AddressError, match="another network"):
        ss58_decode(ss58_encode(public, 0), 2)
    for text in ("", "1" * 48, "5" * 61, ALICE[:-1]):
        with pytest.raises(AddressError):
            ss58_decode(text)
    with pytest.raises(AddressError, match="not 33"):
        ss58_encode(bytes(33))
    with pytest.raises(AddressError, match="0 to 16383"):
        ss58_encode(public, 16384)

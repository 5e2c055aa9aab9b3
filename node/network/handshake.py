"""The first frame on every notification stream, both ways: same chain, which role, whose account.

A validator proves its account with a signature by the account's key over
    "pocl/handshake/1" || genesis_hash || sender's peer id || receiver's peer id
(peer ids as their 38 bytes: an Ed25519 key in an identity multihash). Noise has proved that the sender owns
its peer id, and the receiver's is in it, so a proof that one peer was shown is of no use towards another.
The opener of a stream sends its handshake first, the other answers with its own.
"""

from __future__ import annotations

from pocl.keys import PUBLIC_SIZE, Keypair, verify
from pocl.v1.consensus_pb2 import Certificate
from pocl.v1.network_pb2 import Handshake
from runtime.codec import CodecError, decode

MAX_HANDSHAKE_BYTES = 16 * 1024
"""Nearly all of it for `begun`: 256 validators' certificate has 11 KiB."""
MAX_NAME = 64

PEER_ID_PREFIX = "12D3KooW"
"""How the base58 text of every Ed25519 peer id begins; it has 52 characters."""

_DOMAIN = b"pocl/handshake/1"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PEER_ID_BYTES = 38


class HandshakeError(Exception):
    """The peer's handshake is malformed, false, or for another chain."""


class WrongChain(HandshakeError):
    """The peer is of another chain: nothing to punish, and nothing to talk about."""


def peer_id_bytes(peer_id: str) -> bytes:
    """Return the 38 bytes of an Ed25519 peer id. Raise ValueError for anything else."""
    if len(peer_id) != 52 or not peer_id.startswith(PEER_ID_PREFIX) or set(peer_id) - set(_BASE58):
        raise ValueError(f"{peer_id[:60]!r} is not the peer id of an Ed25519 key")
    number = 0
    for character in peer_id:
        number = number * 58 + _BASE58.index(character)
    return number.to_bytes(_PEER_ID_BYTES, "big")


def proof_message(genesis_hash: bytes, sender: str, receiver: str) -> bytes:
    """Return what a validator signs to prove its account to `receiver`. Raise ValueError for bad peer ids."""
    return _DOMAIN + genesis_hash + peer_id_bytes(sender) + peer_id_bytes(receiver)


def make_handshake(
    *,
    genesis_hash: bytes,
    key: Keypair | None,
    name: str,
    final_number: int,
    epoch: int,
    listen_port: int,
    sender: str,
    receiver: str,
    begun: Certificate | None = None,
) -> Handshake:
    """Return this node's handshake for one peer; `begun` shows that something is final (node/beginning.py)."""
    handshake = Handshake(
        genesis_hash=genesis_hash,
        role=Handshake.FULL,
        final_number=final_number,
        epoch=epoch,
        name=name[:MAX_NAME],
        listen_port=listen_port,
    )
    if begun is not None:
        handshake.begun.CopyFrom(begun)
    if key is not None:
        handshake.role = Handshake.VALIDATOR
        handshake.validator = key.public
        handshake.proof = key.sign(proof_message(genesis_hash, sender, receiver))
    return handshake


def check_handshake(data: bytes, *, genesis_hash: bytes, sender: str, receiver: str) -> Handshake:
    """Return the handshake of a peer after every check. Raise HandshakeError."""
    try:
        handshake = decode(Handshake, data)
    except CodecError as error:
        raise HandshakeError(str(error)) from None
    if handshake.genesis_hash != genesis_hash:
        raise WrongChain(f"its genesis is 0x{handshake.genesis_hash[:32].hex()}")
    if len(handshake.name) > MAX_NAME or not handshake.name.isprintable():
        raise HandshakeError("its name is too long or not printable")
    if handshake.listen_port > 65535:
        raise HandshakeError("its listen port is no port")
    if handshake.role == Handshake.FULL:
        if handshake.validator or handshake.proof:
            raise HandshakeError("a full node with a validator's proof")
    elif handshake.role == Handshake.VALIDATOR:
        message = proof_message(genesis_hash, sender, receiver)
        if len(handshake.validator) != PUBLIC_SIZE or not verify(
            handshake.validator, message, handshake.proof
        ):
            raise HandshakeError("its proof of the validator account is false")
    else:
        raise HandshakeError("it has no role")
    return handshake

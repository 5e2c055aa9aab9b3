"""The signing vectors for client authors.

`python -m tests.pocl.signing_vectors` writes docs/vectors/signing.json again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from pocl.extrinsics import extrinsic_hash, sign_call, signing_digest, u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.extrinsic_pb2 import Call, Extrinsic
from pocl.v1.prediction_pb2 import PredictionCall

PATH = Path(__file__).parents[2] / "docs" / "vectors" / "signing.json"
GENESIS = hash256("pocl/signing-vectors/1")


def vectors() -> dict[str, Any]:
    """Return the document: keys, and extrinsics with each step between a call and its signed bytes."""
    transfer = CoinCall.Transfer(dest=Keypair.from_uri("//Bob").public, amount=u128(10**12))
    commit = PredictionCall.Commit(commitment=bytes(range(32)), unavailable=b"\x05")
    cases = [
        _case("a transfer without a tip", "//Alice", _call("coin", "transfer", transfer), nonce=0),
        _case(
            "a transfer with a tip, mortal",
            "//Alice",
            _call("coin", "transfer", transfer),
            nonce=300,
            tip=2**100,
            valid_until=70_000,
        ),
        _case("an operational call", "//Charlie", _call("prediction", "commit", commit), round=7),
        _case(
            "default arguments are not written, other versions",
            "//Dave//1///password",
            _call("coin", "cancel", CoinCall.Cancel(index=0)),
            nonce=2**64 - 1,
            spec_version=9,
            transaction_version=2,
        ),
    ]
    uris = ["//Alice", "//Bob", "//Charlie", "//Dave//1///password", "0x" + bytes(range(32)).hex() + "//hard"]
    return {
        "about": "Signing vectors of PoCL chains: see proto/pocl/v1/extrinsic.proto. Bytes are hexadecimal.",
        "keys": [_key(uri) for uri in uris],
        "extrinsics": cases,
    }


def text() -> str:
    """Return the document as it is published."""
    return json.dumps(vectors(), indent=2) + "\n"


def _call(pallet: str, function: str, args: Message) -> Call:
    return Call(pallet=pallet, function=function, args=args.SerializeToString(deterministic=True))


def _key(uri: str) -> dict[str, str]:
    keypair = Keypair.from_uri(uri)
    return {
        "uri": uri,
        "seed": keypair.seed.hex(),
        "public": keypair.public.hex(),
        "address": keypair.address,
        "signature_of_empty_message": keypair.sign(b"").hex(),
    }


def _case(
    name: str,
    uri: str,
    call: Call,
    *,
    nonce: int | None = None,
    round: int | None = None,
    tip: int = 0,
    valid_until: int = 0,
    spec_version: int = 1,
    transaction_version: int = 1,
) -> dict[str, Any]:
    extrinsic = sign_call(
        Keypair.from_uri(uri),
        call,
        genesis_hash=GENESIS,
        spec_version=spec_version,
        transaction_version=transaction_version,
        nonce=nonce,
        round=round,
        tip=tip,
        valid_until=valid_until,
    )
    parsed = Extrinsic.FromString(extrinsic)
    # Numbers above 2^53 are text: many JSON readers cannot hold them.
    sequence = {"nonce": str(nonce)} if nonce is not None else {"round": str(round)}
    return {
        "name": name,
        "uri": uri,
        "genesis_hash": GENESIS.hex(),
        "spec_version": spec_version,
        "transaction_version": transaction_version,
        "call": {"pallet": call.pallet, "function": call.function, "args": call.args.hex()},
        **sequence,
        "tip": str(tip),
        "valid_until": valid_until,
        "payload": parsed.payload.hex(),
        "digest": signing_digest(parsed.payload, GENESIS, spec_version, transaction_version).hex(),
        "signature": parsed.signature.hex(),
        "extrinsic": extrinsic.hex(),
        "hash": extrinsic_hash(extrinsic).hex(),
    }


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text())

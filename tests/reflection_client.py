"""A client that knows nothing of this project: it learns a node's services from gRPC reflection, and the
chain's calls and storage from the metadata, and signs with PyNaCl and hashlib.

    python tests/reflection_client.py HOST:PORT SEED [TIMEOUT_S]

SEED is the hexadecimal Ed25519 seed of an account that has something. Transfers a little of it and follows
that until it has settled. Prints one JSON object with all it saw. It is run as a process of its own, so that
nothing of this project can have been imported.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import grpc
import nacl.signing
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

DEST = hashlib.blake2b(b"a stranger", digest_size=32).digest()
AMOUNT = 1_000_000_000_000


class Node:
    """The node's services, by reflection."""

    def __init__(self, address: str, timeout: float) -> None:
        self.timeout = timeout
        self.channel = grpc.insecure_channel(address)
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.services = sorted(database.get_services())
        self.pool = descriptor_pool.DescriptorPool(database)

    def message(self, name: str, **fields: Any) -> Any:
        """Return a message of a type that the node's services know."""
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))(**fields)

    def call(self, service: str, method: str, **fields: Any) -> Any:
        """Call a method; the answer of a streaming one is an iterator."""
        described = self.pool.FindServiceByName(service).methods_by_name[method]
        request = message_factory.GetMessageClass(described.input_type)(**fields)
        answer = message_factory.GetMessageClass(described.output_type)
        kind = self.channel.unary_stream if described.server_streaming else self.channel.unary_unary
        function = kind(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(deterministic=True),
            response_deserializer=answer.FromString,
        )
        return function(request, timeout=self.timeout)


class Chain:
    """The chain's own types, by metadata."""

    def __init__(self, metadata: Any) -> None:
        self.pallets = {pallet.name: pallet for pallet in metadata.pallets}
        self.pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(metadata.file_descriptor_set).file:
            self.pool.Add(file)

    def message(self, name: str) -> Any:
        """Return the class of a message that the metadata describes."""
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))


def main(address: str, seed: str, timeout: float) -> dict[str, Any]:
    """Do all of it and return what was seen."""
    node = Node(address, timeout)
    info = node.call("pocl.v1.ChainService", "GetInfo")
    chain = Chain(node.call("pocl.v1.StateService", "GetMetadata"))
    block = node.call("pocl.v1.ChainService", "GetBlock")
    round_ = node.call("pocl.v1.RoundsService", "GetCurrent")
    key = nacl.signing.SigningKey(bytes.fromhex(seed))
    account = key.verify_key.encode()
    view = node.call("pocl.v1.StateService", "GetAccount", account=account)
    owned, before = balance(node, chain, account), balance(node, chain, DEST)
    extrinsic = signed_transfer(node, chain, key, info, view.pool_nonce)
    statuses = []
    for status in node.call("pocl.v1.TransactionsService", "SubmitAndWatch", extrinsic=extrinsic):
        kind = status.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[status.kind].name
        statuses.append(
            {
                "kind": kind,
                "block_number": status.block_number,
                "block_hash": status.block_hash.hex(),
                "round": status.round,
                "error": status.error,
                "events": [f"{event.pallet}.{event.name}" for event in status.events],
            }
        )
    return {
        "services": node.services,
        "chain": info.chain,
        "genesis_hash": info.genesis_hash.hex(),
        "pallets": sorted(chain.pallets),
        "block": {"number": block.block.header.number, "hash": block.hash.hex(), "events": len(block.events)},
        "round": {"round": round_.round, "miners": len(round_.miners)},
        "account": account.hex(),
        "balance": str(int.from_bytes(view.free, "big")),
        "balance_by_storage": str(owned),
        "hash": blake2b(b"pocl/extrinsic-hash/1", extrinsic).hex(),
        "statuses": statuses,
        "received": str(balance(node, chain, DEST) - before),
    }


def balance(node: Node, chain: Chain, account: bytes) -> int:
    """Return an account's free balance, read from storage as the metadata says."""
    item = next(item for item in chain.pallets["system"].storage if item.name == "Account")
    entry = node.call("pocl.v1.StateService", "GetStorage", key=item.prefix + account)
    if not entry.exists:
        return 0
    return int.from_bytes(chain.message(item.value).FromString(entry.value).free, "big")


def signed_transfer(node: Node, chain: Chain, key: nacl.signing.SigningKey, info: Any, nonce: int) -> bytes:
    """Return a signed transfer, made from nothing but descriptions."""
    described = next(call for call in chain.pallets["coin"].calls if call.name == "transfer")
    args = chain.message(described.args)(dest=DEST, amount=AMOUNT.to_bytes(16, "big"))
    call = node.message(
        "pocl.v1.Call", pallet="coin", function="transfer", args=args.SerializeToString(deterministic=True)
    )
    payload = node.message("pocl.v1.Payload", call=call, nonce=nonce, tip=bytes(16))
    data = payload.SerializeToString(deterministic=True)
    versions = info.spec_version.to_bytes(4, "big") + info.transaction_version.to_bytes(4, "big")
    digest = blake2b(b"pocl/extrinsic/1", info.genesis_hash, versions, data)
    extrinsic = node.message(
        "pocl.v1.Extrinsic",
        payload=data,
        signer=key.verify_key.encode(),
        signature=key.sign(digest).signature,
    )
    return bytes(extrinsic.SerializeToString(deterministic=True))


def blake2b(*parts: bytes) -> bytes:
    """Return the chain's hash of all parts in a row."""
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: reflection_client.py HOST:PORT SEED [TIMEOUT_S]")
    try:
        print(json.dumps(main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 240.0)))
    except grpc.RpcError as error:
        sys.exit(f"reflection_client: {error.code().name}: {error.details()}")  # type: ignore[attr-defined]

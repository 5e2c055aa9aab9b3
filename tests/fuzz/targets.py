"""The targets: what is fed, and what must hold. `World` holds what they need a disk or a server for."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import trio
from google.protobuf import message_factory
from google.protobuf.message import Message
from hypothesis import strategies as st

from node import chain_spec, keystore
from node.blobs import check_chunks, check_pull
from node.chain import ChainError
from node.consensus.log import ConsensusLog
from node.errors import ChainSpecError, NodeStartError
from node.json_fields import read_json
from node.keystore import Keystore, KeystoreError
from node.network.addresses import may_tell, parse_address
from node.network.decoding import decode_bounded
from node.network.frames import FrameError, FrameReader, StreamEnd, encode_frame
from node.network.handshake import HandshakeError, check_handshake, make_handshake
from node.rpc.limits import RpcLimits
from node.spec_files import find
from node.sync_pages import page
from node.worker.learning.architectures import architecture_of
from node.worker.learning.records import read_records, write_records
from node.worker.learning.weights import initial_weights, read_weights, within_bounds
from pallets.aggregation.fixed_point import BOUND, read_model, to_fixed, write_model
from pallets.aggregation.rules.state import InvalidServerState, read_state, write_state
from pallets.assembly import RUNTIME
from pallets.offchain_protocols import InvalidRecords, InvalidWeights
from pocl.keys import SS58_PREFIX, KeyError_, Keypair, ss58_decode, ss58_encode
from pocl.v1 import (
    aggregation_pb2,
    blobs_service_pb2,
    block_pb2,
    chain_service_pb2,
    coin_pb2,
    consensus_pb2,
    extrinsic_pb2,
    model_propose_pb2,
    network_pb2,
    node_service_pb2,
    prediction_pb2,
    proof_pb2,
    round_pb2,
    rounds_service_pb2,
    state_service_pb2,
    system_pb2,
    transactions_service_pb2,
    vote_pb2,
    worker_service_pb2,
)
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import FINALIZE, Certificate
from pocl.v1.network_pb2 import Handshake, SyncRequest
from pocl.v1.proof_pb2 import StateProof
from runtime.certificates import (
    CertificateError,
    make_certificate,
    verify_certificate,
    verify_justification,
    vote_message,
)
from runtime.codec import CodecError, decode, encode
from runtime.frame import InvalidBlock, InvalidTransaction
from runtime.proof import verify_state_proof
from runtime.tree import prove
from tests.fuzz.mutation import json_values, messages, mutated, texts
from tests.node.chain_harness import SORTED, certificate
from tests.node.chain_harness import act as toy_remark
from tests.node.chain_harness import open_at as open_toy_chain
from tests.node.chain_harness import propose as toy_block
from tests.node.consensus.test_log import ACCOUNT, filled
from tests.node.consensus.test_log import GENESIS as LOG_GENESIS
from tests.node.network.harness import GENESIS
from tests.node.rpc.harness import EVE, Node, running_node
from tests.node.worker.tasks import DIGITS, task_of
from tests.runtime.tree.harness import Tree

PEERS = (
    "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
    "12D3KooWPA6ax6t3jqTyGq73Zm1RmwppYqxaXzrtarfcTWGp5Wzx",
)
WIRE = [
    cls
    for module in (
        aggregation_pb2,
        block_pb2,
        coin_pb2,
        consensus_pb2,
        extrinsic_pb2,
        model_propose_pb2,
        network_pb2,
        prediction_pb2,
        proof_pb2,
        round_pb2,
        system_pb2,
        vote_pb2,
    )
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Message)
]
"""Every class that blocks, extrinsics, the network or the state carry."""


@dataclasses.dataclass(frozen=True)
class Target:
    """One decoder. `examples` makes what `check` is given."""

    name: str
    examples: st.SearchStrategy[Any]
    check: Callable[[Any], None]


class World:
    """What needs a folder: a log, a keystore, chains, a gRPC server. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._exits = ExitStack()

    def __enter__(self) -> World:
        with ExitStack() as exits:
            # A rate limit would answer for the services.
            limits = RpcLimits(calls_per_second=1e9, burst=1e9)
            self.node: Node = exits.enter_context(running_node(self.folder / "node", limits))
            self.node.author(2)
            self.channel = exits.enter_context(grpc.insecure_channel(self.node.server.address))
            self.toy = open_toy_chain(self.folder / "toy")
            exits.callback(self.toy.close)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def targets(self) -> list[Target]:
        """Return all targets."""
        return [
            *_wire_targets(),
            *_network_targets(),
            *_learning_targets(),
            *_text_targets(),
            *_file_targets(self.folder),
            *_proof_targets(),
            *_chain_targets(self),
            *_rpc_targets(self),
        ]


# ---- wire


def _wire_targets() -> list[Target]:
    @st.composite
    def examples(draw: st.DrawFn) -> tuple[type[Message], bytes]:
        cls = draw(st.sampled_from(WIRE))
        return cls, draw(mutated([draw(messages(cls)).SerializeToString(deterministic=True)]))

    def check(example: tuple[type[Message], bytes]) -> None:
        cls, data = example
        try:
            message = decode(cls, data)
        except CodecError:
            return
        assert encode(message) == data
        assert decode_bounded(cls, data) == message

    def walk(data: bytes) -> None:
        # The walk that counts fields takes part only in large messages: make it one.
        large = b"\x0a\x84\x80\x08" + bytes(2**17 + 4) + data
        try:
            message = decode_bounded(network_pb2.TransactionBatch, large)
        except CodecError:
            return
        assert encode(message) == large

    batch = network_pb2.TransactionBatch(extrinsics=[b"x" * 9, b"", b"y"]).SerializeToString()
    return [
        Target("codec.decode", examples(), check),
        Target("network.decode_bounded", mutated([batch]), walk),
    ]


# ---- network


def _network_targets() -> list[Target]:
    frames = encode_frame(b"one") + encode_frame(b"") + encode_frame(b"t" * 90)
    handshake = encode(
        make_handshake(
            genesis_hash=GENESIS,
            key=Keypair.from_uri("//Bob"),
            name="bob",
            final_number=7,
            epoch=3,
            listen_port=30333,
            sender=PEERS[0],
            receiver=PEERS[1],
        )
    )
    addresses = [f"/ip4/10.0.0.1/tcp/30333/p2p/{PEERS[0]}", f"/ip6/::1/tcp/1/p2p/{PEERS[1]}"]
    addresses += [f"/dns4/boot.example/tcp/65535/p2p/{PEERS[0]}"]
    pieces = st.tuples(mutated([frames, encode_frame(b"x" * 101)]), st.integers(1, 40))
    return [
        Target("network.frames", pieces, _check_frames),
        Target("network.handshake", mutated([handshake]), _check_handshake),
        Target("network.addresses", texts(addresses, "/ip4dns6tcp.0123456789:"), _check_address),
        Target("network.blob_answer", messages(network_pb2.BlobResponse), _check_blob_answer),
    ]


def _check_frames(example: tuple[bytes, int]) -> None:
    data, piece = example
    waiting = bytearray(data)

    async def read(count: int) -> bytes:
        taken = bytes(waiting[: min(count, piece)])
        del waiting[: len(taken)]
        return taken

    async def run() -> None:
        reader = FrameReader(read, 100)
        got = b""
        try:
            while True:
                got += encode_frame(await reader.next())
                assert reader.held <= 104 + piece
        except (FrameError, StreamEnd):
            pass
        assert data.startswith(got)

    trio.run(run)


def _check_handshake(data: bytes) -> None:
    try:
        checked = check_handshake(data, genesis_hash=GENESIS, sender=PEERS[0], receiver=PEERS[1])
    except HandshakeError:
        return
    assert encode(checked) == data
    assert checked.role == Handshake.FULL or checked.validator == Keypair.from_uri("//Bob").public


def _check_address(text: str) -> None:
    address = parse_address(text)
    if address is not None:
        assert address.text == text
        assert 0 < address.port < 65536
        may_tell(address, "127.0.0.1")


def _check_blob_answer(answer: network_pb2.BlobResponse) -> None:
    hashes = list(answer.chunk_hashes)
    assert check_pull(b"n" * 32, answer.size, hashes) is not None
    # Who got so far has a hash for each chunk of the size that it was told.
    assert not answer.data or not check_chunks([bytes(32)], len(answer.data), 0, answer.data)


# ---- learning


def _learning_targets() -> list[Target]:
    task = task_of(DIGITS)
    architecture = architecture_of(task)
    weights = write_model(initial_weights(architecture, 1))
    records = write_records(np.zeros((3, *task.input_shape), np.uint8))
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    small = len(header).to_bytes(8, "little") + header + np.ones(2, "<f4").tobytes()

    def check_weights(data: bytes) -> None:
        try:
            read = read_weights(data, architecture)
        except InvalidWeights:
            return
        assert within_bounds(read)
        assert [tensor.shape for tensor in architecture.tensors] == [array.shape for array in read.values()]

    layout = read_model(small)
    state = write_state({"velocity": {name: to_fixed(tensor) for name, tensor in layout.items()}})

    def check_state(data: bytes) -> None:
        try:
            read = read_state(data, layout)
        except InvalidServerState:
            return
        assert all(tensors.keys() == layout.keys() for tensors in read.values())
        assert read_state(write_state(read), layout).keys() == read.keys()

    def check_records(data: bytes) -> None:
        try:
            inputs = read_records(data, task, 3)
        except InvalidRecords:
            return
        assert inputs.shape == (3, *task.input_shape)

    return [
        Target("learning.weights", mutated([weights, small]), check_weights),
        Target("learning.records", mutated([records, small]), check_records),
        Target("aggregation.read_model", mutated([small, records, weights]), _check_model),
        Target("aggregation.read_state", mutated([state, small]), check_state),
    ]


def _check_model(data: bytes) -> None:
    try:
        model = read_model(data)
    except InvalidWeights:
        return
    assert all(bool(np.all(np.abs(tensor) <= BOUND)) for tensor in model.values())
    again = read_model(write_model(model))
    assert {name: tensor.tobytes() for name, tensor in again.items()} == {
        name: tensor.tobytes() for name, tensor in model.items()
    }


# ---- texts


def _text_targets() -> list[Target]:
    uris = ["//Alice", "//Alice//stash", "0x" + "ab" * 32, "//Alice/soft", "bottom drive//1///password"]
    addresses = [Keypair.from_uri(f"//{name}").address for name in ("Alice", "Bob")]
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    return [
        Target("keys.ss58", texts(addresses, alphabet), _check_ss58),
        Target("keys.uri", texts(uris, "/0xabc1 \u00e4"), _check_uri),
    ]


def _check_ss58(text: str) -> None:
    try:
        public = ss58_decode(text)
    except KeyError_:
        return
    assert ss58_encode(public, SS58_PREFIX) == text


def _check_uri(text: str) -> None:
    try:
        keypair = Keypair.from_uri(text)
    except KeyError_:
        return
    assert Keypair.from_uri(text) == keypair


# ---- files


def _file_targets(folder: Path) -> list[Target]:
    specs = [json.loads(find(name).read_text()) for name in ("dev", "local")]
    spec_file, log_file, keys = folder / "spec.json", folder / "consensus.log", Keystore(folder / "keys")
    spec_texts = [json.dumps(spec).encode() for spec in specs] + [b"[" * 3000, b'{"a": 1, "a": 2}']
    filled(log_file)
    log = log_file.read_bytes()

    def check_spec(value: Any) -> None:
        try:
            spec = chain_spec.parse(value, "fuzz")
        except ChainSpecError:
            return
        assert chain_spec.parse(spec.to_dict(), "again") == spec

    def check_spec_file(data: bytes) -> None:
        spec_file.write_bytes(data)
        try:
            value = read_json(spec_file)
        except ChainSpecError:
            return
        check_spec(value)

    def check_log(data: bytes) -> None:
        log_file.write_bytes(data)
        try:
            opened = ConsensusLog.open(log_file, LOG_GENESIS, ACCOUNT)
        except NodeStartError:
            return
        opened.close()
        # What was cut off as torn stays cut off.
        again = ConsensusLog.open(log_file, LOG_GENESIS, ACCOUNT)
        again.close()
        assert again.records == opened.records

    return [
        Target("chain_spec.parse", json_values(specs), check_spec),
        Target("chain_spec.read_json", mutated(spec_texts), check_spec_file),
        Target("consensus.log", mutated([log]), check_log),
        _keystore_target(keys),
    ]


def _keystore_target(keys: Keystore) -> Target:
    bob = Keypair.from_uri("//Bob")
    # The real cost of a guess is a third of a second.
    cost, keystore.SCRYPT_N = keystore.SCRYPT_N, 2
    try:
        file = keys.insert("bob", bob, "secret")
    finally:
        keystore.SCRYPT_N = cost
    stored = json.loads(file.read_text())

    def check(value: Any) -> None:
        file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        keystore.SCRYPT_N = 2
        try:
            assert keys.load("bob", "secret") == bob
        except KeystoreError:
            pass
        finally:
            keystore.SCRYPT_N = cost
        with suppress(KeystoreError):
            keys.list()

    examples = json_values([stored]) | texts([json.dumps(stored)], '{}[]":,0')
    return Target("keystore.load", examples.filter(_is_text), check)


def _is_text(value: Any) -> bool:
    # A lone surrogate is no text that a file can hold.
    try:
        (value if isinstance(value, str) else json.dumps(value)).encode()
    except UnicodeEncodeError:
        return False
    return True


# ---- proofs and certificates


def _proof_targets() -> list[Target]:
    tree = Tree()
    entries = {b"key %d" % number: b"value %d" % number for number in range(40)}
    root = tree.commit(dict(entries)).root
    proofs = [encode(prove(tree.nodes, 0, key, value)) for key, value in list(entries.items())[:8]]
    proofs += [encode(prove(tree.nodes, 0, b"nothing %d" % number, None)) for number in range(4)]

    def check_proof(data: bytes) -> None:
        try:
            proof = decode(StateProof, data)
        except CodecError:
            return
        if verify_state_proof(root, proof):
            assert (proof.value if proof.exists else None) == entries.get(proof.key)

    genesis = b"g" * 32
    accounts = [keypair.public for keypair in SORTED]
    good = _certificate(genesis)

    def check_certificate(data: bytes) -> None:
        try:
            given = decode(Certificate, data)
            verify_certificate(given, accounts, genesis)
        except (CodecError, CertificateError):
            return
        assert given == good

    return [
        Target("proof.verify_state_proof", mutated(proofs), check_proof),
        Target("certificates.verify", mutated([encode(good)]), check_certificate),
    ]


def _certificate(genesis: bytes) -> Certificate:
    message = vote_message(genesis, 1, 5, FINALIZE, b"h" * 32)
    votes = {index: keypair.sign(message) for index, keypair in enumerate(SORTED[:3])}
    return make_certificate(1, 5, FINALIZE, b"h" * 32, votes, len(SORTED))


# ---- chain


def _chain_targets(world: World) -> list[Target]:
    chain, client = world.node.chain, world.node.client
    remark = client.sign(EVE, client.call("system", "remark", remark=b"fuzz"), nonce=0)
    transfer = client.sign(EVE, client.call("coin", "transfer", dest=bytes(32), amount=7), nonce=1)
    toy = world.toy
    block = toy_block(toy, toy.final_hash, toy_remark(0))
    body = encode(block.block)
    proof = encode(consensus_pb2.Justification(certificate=certificate(block)))

    def check_extrinsic(data: bytes) -> None:
        try:
            RUNTIME.validate_transaction(chain.final_state(), chain.final, chain.genesis_hash, data)
        except InvalidTransaction:
            return
        assert data in (remark, transfer)

    def check_block(data: bytes) -> None:
        try:
            imported = toy.import_block(decode(Block, data))
        except (CodecError, InvalidBlock, ChainError):
            return
        assert imported.hash == block.hash

    def check_justified(data: bytes) -> None:
        try:
            given = decode(consensus_pb2.Justification, data)
            verify_justification(block.header, given, toy.epoch_change.validators, toy.genesis_hash)
        except (CodecError, CertificateError):
            return
        assert data == proof

    def check_page(request: SyncRequest) -> None:
        answer = page(chain, request)
        assert len(answer.blocks) <= 256
        assert answer.ByteSize() < 16 * 2**20

    return [
        Target("extrinsics.validate_transaction", mutated([remark, transfer]), check_extrinsic),
        Target("chain.import_block", mutated([body]), check_block),
        Target("certificates.justification", mutated([proof]), check_justified),
        Target("sync.page", messages(SyncRequest), check_page),
    ]


# ---- gRPC

_FAULTS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@functools.cache
def _methods() -> list[tuple[str, type[Message]]]:
    """Return path and request class of every unary method."""
    modules = (
        blobs_service_pb2,
        chain_service_pb2,
        node_service_pb2,
        rounds_service_pb2,
        state_service_pb2,
        transactions_service_pb2,
        worker_service_pb2,
    )
    return [
        (f"/{service.full_name}/{method.name}", message_factory.GetMessageClass(method.input_type))
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not (method.client_streaming or method.server_streaming)
    ]


def _status(call: Any, data: bytes) -> grpc.StatusCode:
    try:
        call(data, timeout=10)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def _rpc_targets(world: World) -> list[Target]:
    @st.composite
    def examples(draw: st.DrawFn) -> tuple[str, bytes]:
        path, cls = draw(st.sampled_from(_methods()))
        return path, draw(mutated([draw(messages(cls)).SerializeToString()]))

    def check(example: tuple[str, bytes]) -> None:
        path, data = example
        call = world.channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        code = _status(call, data)
        assert code not in _FAULTS, code

    return [Target("rpc.requests", examples(), check)]

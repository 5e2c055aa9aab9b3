from pocl.v1 import block_pb2 as _block_pb2
from pocl.v1 import consensus_pb2 as _consensus_pb2
from pocl.v1 import proof_pb2 as _proof_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Handshake(_message.Message):
    __slots__ = ("genesis_hash", "role", "final_number", "epoch", "validator", "proof", "name", "listen_port", "begun")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[Handshake.Role]
        FULL: _ClassVar[Handshake.Role]
        VALIDATOR: _ClassVar[Handshake.Role]
    ROLE_UNSPECIFIED: Handshake.Role
    FULL: Handshake.Role
    VALIDATOR: Handshake.Role
    GENESIS_HASH_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LISTEN_PORT_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    genesis_hash: bytes
    role: Handshake.Role
    final_number: int
    epoch: int
    validator: bytes
    proof: bytes
    name: str
    listen_port: int
    begun: _consensus_pb2.Certificate
    def __init__(self, genesis_hash: _Optional[bytes] = ..., role: _Optional[_Union[Handshake.Role, str]] = ..., final_number: _Optional[int] = ..., epoch: _Optional[int] = ..., validator: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., name: _Optional[str] = ..., listen_port: _Optional[int] = ..., begun: _Optional[_Union[_consensus_pb2.Certificate, _Mapping]] = ...) -> None: ...

class BlockAnnounce(_message.Message):
    __slots__ = ("block", "justification")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    JUSTIFICATION_FIELD_NUMBER: _ClassVar[int]
    block: _block_pb2.Block
    justification: _consensus_pb2.Justification
    def __init__(self, block: _Optional[_Union[_block_pb2.Block, _Mapping]] = ..., justification: _Optional[_Union[_consensus_pb2.Justification, _Mapping]] = ...) -> None: ...

class TransactionBatch(_message.Message):
    __slots__ = ("extrinsics",)
    EXTRINSICS_FIELD_NUMBER: _ClassVar[int]
    extrinsics: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, extrinsics: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SyncRequest(_message.Message):
    __slots__ = ("from_number", "max_blocks", "max_bytes")
    FROM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MAX_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    from_number: int
    max_blocks: int
    max_bytes: int
    def __init__(self, from_number: _Optional[int] = ..., max_blocks: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class SyncResponse(_message.Message):
    __slots__ = ("blocks", "justification", "final_number", "closing", "oldest_number")
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    JUSTIFICATION_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    OLDEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedCompositeFieldContainer[_block_pb2.Block]
    justification: _consensus_pb2.Justification
    final_number: int
    closing: _containers.RepeatedCompositeFieldContainer[_consensus_pb2.Justification]
    oldest_number: int
    def __init__(self, blocks: _Optional[_Iterable[_Union[_block_pb2.Block, _Mapping]]] = ..., justification: _Optional[_Union[_consensus_pb2.Justification, _Mapping]] = ..., final_number: _Optional[int] = ..., closing: _Optional[_Iterable[_Union[_consensus_pb2.Justification, _Mapping]]] = ..., oldest_number: _Optional[int] = ...) -> None: ...

class StateRequest(_message.Message):
    __slots__ = ("block_hash", "start", "max_bytes")
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    block_hash: bytes
    start: bytes
    max_bytes: int
    def __init__(self, block_hash: _Optional[bytes] = ..., start: _Optional[bytes] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class StateResponse(_message.Message):
    __slots__ = ("found", "headers", "justification", "entries")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    JUSTIFICATION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    found: bool
    headers: _containers.RepeatedCompositeFieldContainer[_block_pb2.Header]
    justification: _consensus_pb2.Justification
    entries: _proof_pb2.StateRange
    def __init__(self, found: _Optional[bool] = ..., headers: _Optional[_Iterable[_Union[_block_pb2.Header, _Mapping]]] = ..., justification: _Optional[_Union[_consensus_pb2.Justification, _Mapping]] = ..., entries: _Optional[_Union[_proof_pb2.StateRange, _Mapping]] = ...) -> None: ...

class BlobRequest(_message.Message):
    __slots__ = ("hash", "offset", "max_bytes")
    HASH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    offset: int
    max_bytes: int
    def __init__(self, hash: _Optional[bytes] = ..., offset: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class BlobResponse(_message.Message):
    __slots__ = ("found", "size", "data", "chunk_hashes")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CHUNK_HASHES_FIELD_NUMBER: _ClassVar[int]
    found: bool
    size: int
    data: bytes
    chunk_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, found: _Optional[bool] = ..., size: _Optional[int] = ..., data: _Optional[bytes] = ..., chunk_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PeersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PeersResponse(_message.Message):
    __slots__ = ("addresses", "time_ms")
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    time_ms: int
    def __init__(self, addresses: _Optional[_Iterable[str]] = ..., time_ms: _Optional[int] = ...) -> None: ...

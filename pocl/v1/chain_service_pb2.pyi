from pocl.v1 import block_pb2 as _block_pb2
from pocl.v1 import consensus_pb2 as _consensus_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetChainInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChainInfo(_message.Message):
    __slots__ = ("chain", "genesis_hash", "spec_version", "transaction_version", "final_number", "final_hash", "state_root", "best_number", "best_hash", "ss58_prefix", "token_symbol", "token_decimals")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    GENESIS_HASH_FIELD_NUMBER: _ClassVar[int]
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_VERSION_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FINAL_HASH_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    BEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BEST_HASH_FIELD_NUMBER: _ClassVar[int]
    SS58_PREFIX_FIELD_NUMBER: _ClassVar[int]
    TOKEN_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DECIMALS_FIELD_NUMBER: _ClassVar[int]
    chain: str
    genesis_hash: bytes
    spec_version: int
    transaction_version: int
    final_number: int
    final_hash: bytes
    state_root: bytes
    best_number: int
    best_hash: bytes
    ss58_prefix: int
    token_symbol: str
    token_decimals: int
    def __init__(self, chain: _Optional[str] = ..., genesis_hash: _Optional[bytes] = ..., spec_version: _Optional[int] = ..., transaction_version: _Optional[int] = ..., final_number: _Optional[int] = ..., final_hash: _Optional[bytes] = ..., state_root: _Optional[bytes] = ..., best_number: _Optional[int] = ..., best_hash: _Optional[bytes] = ..., ss58_prefix: _Optional[int] = ..., token_symbol: _Optional[str] = ..., token_decimals: _Optional[int] = ...) -> None: ...

class GetBlockRequest(_message.Message):
    __slots__ = ("number", "hash")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    number: int
    hash: bytes
    def __init__(self, number: _Optional[int] = ..., hash: _Optional[bytes] = ...) -> None: ...

class BlockView(_message.Message):
    __slots__ = ("hash", "block", "events", "final", "extrinsic_hashes")
    HASH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    EXTRINSIC_HASHES_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    block: _block_pb2.Block
    events: _containers.RepeatedCompositeFieldContainer[_block_pb2.EventRecord]
    final: bool
    extrinsic_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hash: _Optional[bytes] = ..., block: _Optional[_Union[_block_pb2.Block, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_block_pb2.EventRecord, _Mapping]]] = ..., final: _Optional[bool] = ..., extrinsic_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ListHeadersRequest(_message.Message):
    __slots__ = ("from_number", "limit")
    FROM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    from_number: int
    limit: int
    def __init__(self, from_number: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListHeadersResponse(_message.Message):
    __slots__ = ("headers", "next_number")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[_block_pb2.Header]
    next_number: int
    def __init__(self, headers: _Optional[_Iterable[_Union[_block_pb2.Header, _Mapping]]] = ..., next_number: _Optional[int] = ...) -> None: ...

class SubscribeFinalRequest(_message.Message):
    __slots__ = ("from_number",)
    FROM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    from_number: int
    def __init__(self, from_number: _Optional[int] = ...) -> None: ...

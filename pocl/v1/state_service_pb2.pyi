from pocl.v1 import metadata_pb2 as _metadata_pb2
from pocl.v1 import proof_pb2 as _proof_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetMetadataRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStorageRequest(_message.Message):
    __slots__ = ("key", "number")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    number: int
    def __init__(self, key: _Optional[bytes] = ..., number: _Optional[int] = ...) -> None: ...

class GetStorageResponse(_message.Message):
    __slots__ = ("exists", "value", "number", "state_root")
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    exists: bool
    value: bytes
    number: int
    state_root: bytes
    def __init__(self, exists: _Optional[bool] = ..., value: _Optional[bytes] = ..., number: _Optional[int] = ..., state_root: _Optional[bytes] = ...) -> None: ...

class ListStorageRequest(_message.Message):
    __slots__ = ("prefix", "after", "limit", "number")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    after: bytes
    limit: int
    number: int
    def __init__(self, prefix: _Optional[bytes] = ..., after: _Optional[bytes] = ..., limit: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class KeyValue(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class ListStorageResponse(_message.Message):
    __slots__ = ("entries", "next", "number")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[KeyValue]
    next: bytes
    number: int
    def __init__(self, entries: _Optional[_Iterable[_Union[KeyValue, _Mapping]]] = ..., next: _Optional[bytes] = ..., number: _Optional[int] = ...) -> None: ...

class GetProofResponse(_message.Message):
    __slots__ = ("proof", "number", "state_root", "block_hash")
    PROOF_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    proof: _proof_pb2.StateProof
    number: int
    state_root: bytes
    block_hash: bytes
    def __init__(self, proof: _Optional[_Union[_proof_pb2.StateProof, _Mapping]] = ..., number: _Optional[int] = ..., state_root: _Optional[bytes] = ..., block_hash: _Optional[bytes] = ...) -> None: ...

class GetRangeRequest(_message.Message):
    __slots__ = ("start", "max_bytes", "number")
    START_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    start: bytes
    max_bytes: int
    number: int
    def __init__(self, start: _Optional[bytes] = ..., max_bytes: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class GetRangeResponse(_message.Message):
    __slots__ = ("range", "number", "state_root", "block_hash")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    range: _proof_pb2.StateRange
    number: int
    state_root: bytes
    block_hash: bytes
    def __init__(self, range: _Optional[_Union[_proof_pb2.StateRange, _Mapping]] = ..., number: _Optional[int] = ..., state_root: _Optional[bytes] = ..., block_hash: _Optional[bytes] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ("account", "number")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    number: int
    def __init__(self, account: _Optional[bytes] = ..., number: _Optional[int] = ...) -> None: ...

class AccountView(_message.Message):
    __slots__ = ("account", "nonce", "free", "reserved", "number", "pool_nonce")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    POOL_NONCE_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    nonce: int
    free: bytes
    reserved: bytes
    number: int
    pool_nonce: int
    def __init__(self, account: _Optional[bytes] = ..., nonce: _Optional[int] = ..., free: _Optional[bytes] = ..., reserved: _Optional[bytes] = ..., number: _Optional[int] = ..., pool_nonce: _Optional[int] = ...) -> None: ...

from pocl.v1 import block_pb2 as _block_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequest(_message.Message):
    __slots__ = ("extrinsic",)
    EXTRINSIC_FIELD_NUMBER: _ClassVar[int]
    extrinsic: bytes
    def __init__(self, extrinsic: _Optional[bytes] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    def __init__(self, hash: _Optional[bytes] = ...) -> None: ...

class SubmitBatchRequest(_message.Message):
    __slots__ = ("extrinsics",)
    EXTRINSICS_FIELD_NUMBER: _ClassVar[int]
    extrinsics: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, extrinsics: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SubmitResult(_message.Message):
    __slots__ = ("hash", "error", "code")
    HASH_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    error: str
    code: int
    def __init__(self, hash: _Optional[bytes] = ..., error: _Optional[str] = ..., code: _Optional[int] = ...) -> None: ...

class SubmitBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SubmitResult]
    def __init__(self, results: _Optional[_Iterable[_Union[SubmitResult, _Mapping]]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    def __init__(self, hash: _Optional[bytes] = ...) -> None: ...

class TransactionStatus(_message.Message):
    __slots__ = ("kind", "block_hash", "block_number", "extrinsic_index", "events", "error", "round")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[TransactionStatus.Kind]
        READY: _ClassVar[TransactionStatus.Kind]
        FUTURE: _ClassVar[TransactionStatus.Kind]
        INCLUDED: _ClassVar[TransactionStatus.Kind]
        FINALIZED: _ClassVar[TransactionStatus.Kind]
        SETTLED: _ClassVar[TransactionStatus.Kind]
        DROPPED: _ClassVar[TransactionStatus.Kind]
        CANCELLED: _ClassVar[TransactionStatus.Kind]
    KIND_UNSPECIFIED: TransactionStatus.Kind
    READY: TransactionStatus.Kind
    FUTURE: TransactionStatus.Kind
    INCLUDED: TransactionStatus.Kind
    FINALIZED: TransactionStatus.Kind
    SETTLED: TransactionStatus.Kind
    DROPPED: TransactionStatus.Kind
    CANCELLED: TransactionStatus.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXTRINSIC_INDEX_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    kind: TransactionStatus.Kind
    block_hash: bytes
    block_number: int
    extrinsic_index: int
    events: _containers.RepeatedCompositeFieldContainer[_block_pb2.EventRecord]
    error: str
    round: int
    def __init__(self, kind: _Optional[_Union[TransactionStatus.Kind, str]] = ..., block_hash: _Optional[bytes] = ..., block_number: _Optional[int] = ..., extrinsic_index: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_block_pb2.EventRecord, _Mapping]]] = ..., error: _Optional[str] = ..., round: _Optional[int] = ...) -> None: ...

class DryRunResponse(_message.Message):
    __slots__ = ("ok", "error", "fee", "weight", "events")
    OK_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    error: str
    fee: bytes
    weight: int
    events: _containers.RepeatedCompositeFieldContainer[_block_pb2.EventRecord]
    def __init__(self, ok: _Optional[bool] = ..., error: _Optional[str] = ..., fee: _Optional[bytes] = ..., weight: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_block_pb2.EventRecord, _Mapping]]] = ...) -> None: ...

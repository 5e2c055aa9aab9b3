from pocl.v1 import extrinsic_pb2 as _extrinsic_pb2
from pocl.v1 import blobs_service_pb2 as _blobs_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BlobVisibility(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIVATE: _ClassVar[BlobVisibility]
    AFTER_TRAIN: _ClassVar[BlobVisibility]
    AFTER_REVEAL: _ClassVar[BlobVisibility]
    PUBLIC: _ClassVar[BlobVisibility]
PRIVATE: BlobVisibility
AFTER_TRAIN: BlobVisibility
AFTER_REVEAL: BlobVisibility
PUBLIC: BlobVisibility

class SubmitCallRequest(_message.Message):
    __slots__ = ("call", "round")
    CALL_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    call: _extrinsic_pb2.Call
    round: int
    def __init__(self, call: _Optional[_Union[_extrinsic_pb2.Call, _Mapping]] = ..., round: _Optional[int] = ...) -> None: ...

class SubmitCallResponse(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    def __init__(self, hash: _Optional[bytes] = ...) -> None: ...

class GetSaltRequest(_message.Message):
    __slots__ = ("round", "kind")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    round: int
    kind: str
    def __init__(self, round: _Optional[int] = ..., kind: _Optional[str] = ...) -> None: ...

class GetSaltResponse(_message.Message):
    __slots__ = ("salt",)
    SALT_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    def __init__(self, salt: _Optional[bytes] = ...) -> None: ...

class PutBlobRequest(_message.Message):
    __slots__ = ("round", "visibility", "data")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    round: int
    visibility: BlobVisibility
    data: bytes
    def __init__(self, round: _Optional[int] = ..., visibility: _Optional[_Union[BlobVisibility, str]] = ..., data: _Optional[bytes] = ...) -> None: ...

class PutBlobResponse(_message.Message):
    __slots__ = ("hash", "size")
    HASH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    size: int
    def __init__(self, hash: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class FetchBlobRequest(_message.Message):
    __slots__ = ("hash", "max_bytes", "timeout_ms", "holder")
    HASH_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    max_bytes: int
    timeout_ms: int
    holder: bytes
    def __init__(self, hash: _Optional[bytes] = ..., max_bytes: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., holder: _Optional[bytes] = ...) -> None: ...

class WorkerReport(_message.Message):
    __slots__ = ("state", "round", "train_ms", "predict_ms", "audit_ms", "aggregate_ms", "global_accuracy", "local_accuracy", "error", "training_accuracy")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TRAIN_MS_FIELD_NUMBER: _ClassVar[int]
    PREDICT_MS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_MS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_MS_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TRAINING_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    state: str
    round: int
    train_ms: int
    predict_ms: int
    audit_ms: int
    aggregate_ms: int
    global_accuracy: float
    local_accuracy: float
    error: str
    training_accuracy: float
    def __init__(self, state: _Optional[str] = ..., round: _Optional[int] = ..., train_ms: _Optional[int] = ..., predict_ms: _Optional[int] = ..., audit_ms: _Optional[int] = ..., aggregate_ms: _Optional[int] = ..., global_accuracy: _Optional[float] = ..., local_accuracy: _Optional[float] = ..., error: _Optional[str] = ..., training_accuracy: _Optional[float] = ...) -> None: ...

class WorkerReportResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListReportsRequest(_message.Message):
    __slots__ = ("from_round",)
    FROM_ROUND_FIELD_NUMBER: _ClassVar[int]
    from_round: int
    def __init__(self, from_round: _Optional[int] = ...) -> None: ...

class ListReportsResponse(_message.Message):
    __slots__ = ("reports",)
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[WorkerReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[WorkerReport, _Mapping]]] = ...) -> None: ...

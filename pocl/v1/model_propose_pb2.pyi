from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ModelProposeCall(_message.Message):
    __slots__ = ()
    class Propose(_message.Message):
        __slots__ = ("weights_commitment", "labels_commitment", "records_hash", "records_size", "weights_size", "sample_count")
        WEIGHTS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
        LABELS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
        RECORDS_HASH_FIELD_NUMBER: _ClassVar[int]
        RECORDS_SIZE_FIELD_NUMBER: _ClassVar[int]
        WEIGHTS_SIZE_FIELD_NUMBER: _ClassVar[int]
        SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
        weights_commitment: bytes
        labels_commitment: bytes
        records_hash: bytes
        records_size: int
        weights_size: int
        sample_count: int
        def __init__(self, weights_commitment: _Optional[bytes] = ..., labels_commitment: _Optional[bytes] = ..., records_hash: _Optional[bytes] = ..., records_size: _Optional[int] = ..., weights_size: _Optional[int] = ..., sample_count: _Optional[int] = ...) -> None: ...
    def __init__(self) -> None: ...

class ModelProposeEvent(_message.Message):
    __slots__ = ()
    class Proposed(_message.Message):
        __slots__ = ("round", "miner", "records_hash", "sample_count")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        MINER_FIELD_NUMBER: _ClassVar[int]
        RECORDS_HASH_FIELD_NUMBER: _ClassVar[int]
        SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
        round: int
        miner: bytes
        records_hash: bytes
        sample_count: int
        def __init__(self, round: _Optional[int] = ..., miner: _Optional[bytes] = ..., records_hash: _Optional[bytes] = ..., sample_count: _Optional[int] = ...) -> None: ...
    def __init__(self) -> None: ...

class ModelProposal(_message.Message):
    __slots__ = ("weights_commitment", "labels_commitment", "records_hash", "records_size", "weights_size", "sample_count", "block")
    WEIGHTS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    LABELS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    RECORDS_HASH_FIELD_NUMBER: _ClassVar[int]
    RECORDS_SIZE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SIZE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    weights_commitment: bytes
    labels_commitment: bytes
    records_hash: bytes
    records_size: int
    weights_size: int
    sample_count: int
    block: int
    def __init__(self, weights_commitment: _Optional[bytes] = ..., labels_commitment: _Optional[bytes] = ..., records_hash: _Optional[bytes] = ..., records_size: _Optional[int] = ..., weights_size: _Optional[int] = ..., sample_count: _Optional[int] = ..., block: _Optional[int] = ...) -> None: ...

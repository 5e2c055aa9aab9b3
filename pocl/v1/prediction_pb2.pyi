from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class PredictionCall(_message.Message):
    __slots__ = ()
    class Commit(_message.Message):
        __slots__ = ("commitment", "unavailable")
        COMMITMENT_FIELD_NUMBER: _ClassVar[int]
        UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
        commitment: bytes
        unavailable: bytes
        def __init__(self, commitment: _Optional[bytes] = ..., unavailable: _Optional[bytes] = ...) -> None: ...
    class Reveal(_message.Message):
        __slots__ = ("predictions", "predictions_salt", "weights_hash", "weights_salt")
        PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
        PREDICTIONS_SALT_FIELD_NUMBER: _ClassVar[int]
        WEIGHTS_HASH_FIELD_NUMBER: _ClassVar[int]
        WEIGHTS_SALT_FIELD_NUMBER: _ClassVar[int]
        predictions: bytes
        predictions_salt: bytes
        weights_hash: bytes
        weights_salt: bytes
        def __init__(self, predictions: _Optional[bytes] = ..., predictions_salt: _Optional[bytes] = ..., weights_hash: _Optional[bytes] = ..., weights_salt: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

class PredictionEvent(_message.Message):
    __slots__ = ()
    class Committed(_message.Message):
        __slots__ = ("round", "miner", "unavailable")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        MINER_FIELD_NUMBER: _ClassVar[int]
        UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
        round: int
        miner: bytes
        unavailable: bytes
        def __init__(self, round: _Optional[int] = ..., miner: _Optional[bytes] = ..., unavailable: _Optional[bytes] = ...) -> None: ...
    class Revealed(_message.Message):
        __slots__ = ("round", "miner", "weights_hash")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        MINER_FIELD_NUMBER: _ClassVar[int]
        WEIGHTS_HASH_FIELD_NUMBER: _ClassVar[int]
        round: int
        miner: bytes
        weights_hash: bytes
        def __init__(self, round: _Optional[int] = ..., miner: _Optional[bytes] = ..., weights_hash: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

class PredictionCommit(_message.Message):
    __slots__ = ("commitment", "unavailable", "block")
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    commitment: bytes
    unavailable: bytes
    block: int
    def __init__(self, commitment: _Optional[bytes] = ..., unavailable: _Optional[bytes] = ..., block: _Optional[int] = ...) -> None: ...

class PredictionReveal(_message.Message):
    __slots__ = ("predictions", "predictions_salt", "weights_hash", "weights_salt")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_SALT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_HASH_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SALT_FIELD_NUMBER: _ClassVar[int]
    predictions: bytes
    predictions_salt: bytes
    weights_hash: bytes
    weights_salt: bytes
    def __init__(self, predictions: _Optional[bytes] = ..., predictions_salt: _Optional[bytes] = ..., weights_hash: _Optional[bytes] = ..., weights_salt: _Optional[bytes] = ...) -> None: ...

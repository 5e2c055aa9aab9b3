from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AccountInfo(_message.Message):
    __slots__ = ("nonce", "free", "reserved")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    free: bytes
    reserved: bytes
    def __init__(self, nonce: _Optional[int] = ..., free: _Optional[bytes] = ..., reserved: _Optional[bytes] = ...) -> None: ...

class SystemCall(_message.Message):
    __slots__ = ()
    class Remark(_message.Message):
        __slots__ = ("remark",)
        REMARK_FIELD_NUMBER: _ClassVar[int]
        remark: bytes
        def __init__(self, remark: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

class SystemEvent(_message.Message):
    __slots__ = ()
    class ExtrinsicSuccess(_message.Message):
        __slots__ = ("weight", "fee")
        WEIGHT_FIELD_NUMBER: _ClassVar[int]
        FEE_FIELD_NUMBER: _ClassVar[int]
        weight: int
        fee: bytes
        def __init__(self, weight: _Optional[int] = ..., fee: _Optional[bytes] = ...) -> None: ...
    class ExtrinsicFailed(_message.Message):
        __slots__ = ("pallet", "error", "weight", "fee")
        PALLET_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        WEIGHT_FIELD_NUMBER: _ClassVar[int]
        FEE_FIELD_NUMBER: _ClassVar[int]
        pallet: str
        error: str
        weight: int
        fee: bytes
        def __init__(self, pallet: _Optional[str] = ..., error: _Optional[str] = ..., weight: _Optional[int] = ..., fee: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

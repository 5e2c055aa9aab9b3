from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Call(_message.Message):
    __slots__ = ("pallet", "function", "args")
    PALLET_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    pallet: str
    function: str
    args: bytes
    def __init__(self, pallet: _Optional[str] = ..., function: _Optional[str] = ..., args: _Optional[bytes] = ...) -> None: ...

class Payload(_message.Message):
    __slots__ = ("call", "nonce", "round", "tip", "valid_until")
    CALL_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TIP_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    call: Call
    nonce: int
    round: int
    tip: bytes
    valid_until: int
    def __init__(self, call: _Optional[_Union[Call, _Mapping]] = ..., nonce: _Optional[int] = ..., round: _Optional[int] = ..., tip: _Optional[bytes] = ..., valid_until: _Optional[int] = ...) -> None: ...

class Extrinsic(_message.Message):
    __slots__ = ("payload", "signer", "signature")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    signer: bytes
    signature: bytes
    def __init__(self, payload: _Optional[bytes] = ..., signer: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

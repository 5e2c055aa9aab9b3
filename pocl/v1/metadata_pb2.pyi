from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Metadata(_message.Message):
    __slots__ = ("spec_version", "transaction_version", "pallets", "file_descriptor_set")
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_VERSION_FIELD_NUMBER: _ClassVar[int]
    PALLETS_FIELD_NUMBER: _ClassVar[int]
    FILE_DESCRIPTOR_SET_FIELD_NUMBER: _ClassVar[int]
    spec_version: int
    transaction_version: int
    pallets: _containers.RepeatedCompositeFieldContainer[PalletMetadata]
    file_descriptor_set: bytes
    def __init__(self, spec_version: _Optional[int] = ..., transaction_version: _Optional[int] = ..., pallets: _Optional[_Iterable[_Union[PalletMetadata, _Mapping]]] = ..., file_descriptor_set: _Optional[bytes] = ...) -> None: ...

class PalletMetadata(_message.Message):
    __slots__ = ("name", "doc", "calls", "storage", "events", "errors", "constants")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    CONSTANTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    calls: _containers.RepeatedCompositeFieldContainer[CallMetadata]
    storage: _containers.RepeatedCompositeFieldContainer[StorageMetadata]
    events: _containers.RepeatedCompositeFieldContainer[EventMetadata]
    errors: _containers.RepeatedCompositeFieldContainer[ErrorMetadata]
    constants: _containers.RepeatedCompositeFieldContainer[ConstantMetadata]
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[CallMetadata, _Mapping]]] = ..., storage: _Optional[_Iterable[_Union[StorageMetadata, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[EventMetadata, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[ErrorMetadata, _Mapping]]] = ..., constants: _Optional[_Iterable[_Union[ConstantMetadata, _Mapping]]] = ...) -> None: ...

class CallMetadata(_message.Message):
    __slots__ = ("name", "doc", "args", "weight")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    args: str
    weight: int
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., args: _Optional[str] = ..., weight: _Optional[int] = ..., **kwargs) -> None: ...

class StorageMetadata(_message.Message):
    __slots__ = ("name", "doc", "prefix", "keys", "value", "default", "has_default")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    HAS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    prefix: bytes
    keys: _containers.RepeatedScalarFieldContainer[str]
    value: str
    default: bytes
    has_default: bool
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., prefix: _Optional[bytes] = ..., keys: _Optional[_Iterable[str]] = ..., value: _Optional[str] = ..., default: _Optional[bytes] = ..., has_default: _Optional[bool] = ...) -> None: ...

class EventMetadata(_message.Message):
    __slots__ = ("name", "doc", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    message: str
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ErrorMetadata(_message.Message):
    __slots__ = ("name", "doc")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ...) -> None: ...

class ConstantMetadata(_message.Message):
    __slots__ = ("name", "doc", "type", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    type: str
    value: bytes
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., type: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

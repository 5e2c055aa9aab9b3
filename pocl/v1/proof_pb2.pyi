from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StateProof(_message.Message):
    __slots__ = ("key", "exists", "value", "siblings", "other_path", "other_value_hash")
    KEY_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SIBLINGS_FIELD_NUMBER: _ClassVar[int]
    OTHER_PATH_FIELD_NUMBER: _ClassVar[int]
    OTHER_VALUE_HASH_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    exists: bool
    value: bytes
    siblings: _containers.RepeatedScalarFieldContainer[bytes]
    other_path: bytes
    other_value_hash: bytes
    def __init__(self, key: _Optional[bytes] = ..., exists: _Optional[bool] = ..., value: _Optional[bytes] = ..., siblings: _Optional[_Iterable[bytes]] = ..., other_path: _Optional[bytes] = ..., other_value_hash: _Optional[bytes] = ...) -> None: ...

class StateEntry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class StateRange(_message.Message):
    __slots__ = ("start", "entries", "last", "left", "right")
    START_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    start: bytes
    entries: _containers.RepeatedCompositeFieldContainer[StateEntry]
    last: bool
    left: _containers.RepeatedScalarFieldContainer[bytes]
    right: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, start: _Optional[bytes] = ..., entries: _Optional[_Iterable[_Union[StateEntry, _Mapping]]] = ..., last: _Optional[bool] = ..., left: _Optional[_Iterable[bytes]] = ..., right: _Optional[_Iterable[bytes]] = ...) -> None: ...

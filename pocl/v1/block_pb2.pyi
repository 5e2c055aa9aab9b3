from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EpochChange(_message.Message):
    __slots__ = ("epoch", "validators", "leaders", "seed")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    LEADERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    validators: _containers.RepeatedScalarFieldContainer[bytes]
    leaders: _containers.RepeatedScalarFieldContainer[bytes]
    seed: bytes
    def __init__(self, epoch: _Optional[int] = ..., validators: _Optional[_Iterable[bytes]] = ..., leaders: _Optional[_Iterable[bytes]] = ..., seed: _Optional[bytes] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("parent_hash", "number", "epoch", "view", "timestamp_ms", "author", "state_root", "extrinsics_root", "events_root", "next_epoch")
    PARENT_HASH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    EXTRINSICS_ROOT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_ROOT_FIELD_NUMBER: _ClassVar[int]
    NEXT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    parent_hash: bytes
    number: int
    epoch: int
    view: int
    timestamp_ms: int
    author: bytes
    state_root: bytes
    extrinsics_root: bytes
    events_root: bytes
    next_epoch: EpochChange
    def __init__(self, parent_hash: _Optional[bytes] = ..., number: _Optional[int] = ..., epoch: _Optional[int] = ..., view: _Optional[int] = ..., timestamp_ms: _Optional[int] = ..., author: _Optional[bytes] = ..., state_root: _Optional[bytes] = ..., extrinsics_root: _Optional[bytes] = ..., events_root: _Optional[bytes] = ..., next_epoch: _Optional[_Union[EpochChange, _Mapping]] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("header", "extrinsics")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    EXTRINSICS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    extrinsics: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., extrinsics: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EventRecord(_message.Message):
    __slots__ = ("phase", "extrinsic_index", "pallet", "name", "data")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PHASE_UNSPECIFIED: _ClassVar[EventRecord.Phase]
        INITIALIZE: _ClassVar[EventRecord.Phase]
        APPLY_EXTRINSIC: _ClassVar[EventRecord.Phase]
        FINALIZE: _ClassVar[EventRecord.Phase]
    PHASE_UNSPECIFIED: EventRecord.Phase
    INITIALIZE: EventRecord.Phase
    APPLY_EXTRINSIC: EventRecord.Phase
    FINALIZE: EventRecord.Phase
    PHASE_FIELD_NUMBER: _ClassVar[int]
    EXTRINSIC_INDEX_FIELD_NUMBER: _ClassVar[int]
    PALLET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    phase: EventRecord.Phase
    extrinsic_index: int
    pallet: str
    name: str
    data: bytes
    def __init__(self, phase: _Optional[_Union[EventRecord.Phase, str]] = ..., extrinsic_index: _Optional[int] = ..., pallet: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class BlockEvents(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[EventRecord]
    def __init__(self, events: _Optional[_Iterable[_Union[EventRecord, _Mapping]]] = ...) -> None: ...

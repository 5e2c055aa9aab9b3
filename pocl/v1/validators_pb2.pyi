from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ValidatorSet(_message.Message):
    __slots__ = ("validators",)
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    validators: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, validators: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LeaderSchedule(_message.Message):
    __slots__ = ("leaders", "seed")
    LEADERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    leaders: _containers.RepeatedScalarFieldContainer[bytes]
    seed: bytes
    def __init__(self, leaders: _Optional[_Iterable[bytes]] = ..., seed: _Optional[bytes] = ...) -> None: ...

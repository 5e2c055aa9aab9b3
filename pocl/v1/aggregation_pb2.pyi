from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    OK: _ClassVar[Verdict]
    MISMATCH: _ClassVar[Verdict]
    UNAVAILABLE: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
OK: Verdict
MISMATCH: Verdict
UNAVAILABLE: Verdict

class WinnerVerdict(_message.Message):
    __slots__ = ("winner", "verdict", "tag")
    WINNER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    winner: bytes
    verdict: Verdict
    tag: bytes
    def __init__(self, winner: _Optional[bytes] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., tag: _Optional[bytes] = ...) -> None: ...

class Measure(_message.Message):
    __slots__ = ("winner", "weight_difference", "contribution")
    WINNER_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    winner: bytes
    weight_difference: int
    contribution: int
    def __init__(self, winner: _Optional[bytes] = ..., weight_difference: _Optional[int] = ..., contribution: _Optional[int] = ...) -> None: ...

class Baseline(_message.Message):
    __slots__ = ("owner", "correct")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    correct: int
    def __init__(self, owner: _Optional[bytes] = ..., correct: _Optional[int] = ...) -> None: ...

class AggregationCall(_message.Message):
    __slots__ = ()
    class Audit(_message.Message):
        __slots__ = ("verdicts",)
        VERDICTS_FIELD_NUMBER: _ClassVar[int]
        verdicts: _containers.RepeatedCompositeFieldContainer[WinnerVerdict]
        def __init__(self, verdicts: _Optional[_Iterable[_Union[WinnerVerdict, _Mapping]]] = ...) -> None: ...
    class Attest(_message.Message):
        __slots__ = ("global_model", "size", "tag", "measures", "baselines", "false_tags", "server_state", "server_state_size")
        GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
        SIZE_FIELD_NUMBER: _ClassVar[int]
        TAG_FIELD_NUMBER: _ClassVar[int]
        MEASURES_FIELD_NUMBER: _ClassVar[int]
        BASELINES_FIELD_NUMBER: _ClassVar[int]
        FALSE_TAGS_FIELD_NUMBER: _ClassVar[int]
        SERVER_STATE_FIELD_NUMBER: _ClassVar[int]
        SERVER_STATE_SIZE_FIELD_NUMBER: _ClassVar[int]
        global_model: bytes
        size: int
        tag: bytes
        measures: _containers.RepeatedCompositeFieldContainer[Measure]
        baselines: _containers.RepeatedCompositeFieldContainer[Baseline]
        false_tags: _containers.RepeatedScalarFieldContainer[bytes]
        server_state: bytes
        server_state_size: int
        def __init__(self, global_model: _Optional[bytes] = ..., size: _Optional[int] = ..., tag: _Optional[bytes] = ..., measures: _Optional[_Iterable[_Union[Measure, _Mapping]]] = ..., baselines: _Optional[_Iterable[_Union[Baseline, _Mapping]]] = ..., false_tags: _Optional[_Iterable[bytes]] = ..., server_state: _Optional[bytes] = ..., server_state_size: _Optional[int] = ...) -> None: ...
    def __init__(self) -> None: ...

class AggregationEvent(_message.Message):
    __slots__ = ()
    class Audited(_message.Message):
        __slots__ = ("round", "auditor", "verdicts")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        AUDITOR_FIELD_NUMBER: _ClassVar[int]
        VERDICTS_FIELD_NUMBER: _ClassVar[int]
        round: int
        auditor: bytes
        verdicts: _containers.RepeatedCompositeFieldContainer[WinnerVerdict]
        def __init__(self, round: _Optional[int] = ..., auditor: _Optional[bytes] = ..., verdicts: _Optional[_Iterable[_Union[WinnerVerdict, _Mapping]]] = ...) -> None: ...
    class WinnerDisqualified(_message.Message):
        __slots__ = ("round", "winner", "reason")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        WINNER_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        round: int
        winner: bytes
        reason: Verdict
        def __init__(self, round: _Optional[int] = ..., winner: _Optional[bytes] = ..., reason: _Optional[_Union[Verdict, str]] = ...) -> None: ...
    class WinnersConfirmed(_message.Message):
        __slots__ = ("round", "winners")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        WINNERS_FIELD_NUMBER: _ClassVar[int]
        round: int
        winners: _containers.RepeatedScalarFieldContainer[bytes]
        def __init__(self, round: _Optional[int] = ..., winners: _Optional[_Iterable[bytes]] = ...) -> None: ...
    class Attested(_message.Message):
        __slots__ = ("round", "attester", "global_model")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        ATTESTER_FIELD_NUMBER: _ClassVar[int]
        GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
        round: int
        attester: bytes
        global_model: bytes
        def __init__(self, round: _Optional[int] = ..., attester: _Optional[bytes] = ..., global_model: _Optional[bytes] = ...) -> None: ...
    class FalseTag(_message.Message):
        __slots__ = ("round", "auditor")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        AUDITOR_FIELD_NUMBER: _ClassVar[int]
        round: int
        auditor: bytes
        def __init__(self, round: _Optional[int] = ..., auditor: _Optional[bytes] = ...) -> None: ...
    class FreeRide(_message.Message):
        __slots__ = ("round", "winner")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        WINNER_FIELD_NUMBER: _ClassVar[int]
        round: int
        winner: bytes
        def __init__(self, round: _Optional[int] = ..., winner: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

class AuditRecord(_message.Message):
    __slots__ = ("verdicts",)
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedCompositeFieldContainer[WinnerVerdict]
    def __init__(self, verdicts: _Optional[_Iterable[_Union[WinnerVerdict, _Mapping]]] = ...) -> None: ...

class Attestation(_message.Message):
    __slots__ = ("global_model", "size", "tag", "measures", "baselines", "false_tags", "server_state", "server_state_size")
    GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    BASELINES_FIELD_NUMBER: _ClassVar[int]
    FALSE_TAGS_FIELD_NUMBER: _ClassVar[int]
    SERVER_STATE_FIELD_NUMBER: _ClassVar[int]
    SERVER_STATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    global_model: bytes
    size: int
    tag: bytes
    measures: _containers.RepeatedCompositeFieldContainer[Measure]
    baselines: _containers.RepeatedCompositeFieldContainer[Baseline]
    false_tags: _containers.RepeatedScalarFieldContainer[bytes]
    server_state: bytes
    server_state_size: int
    def __init__(self, global_model: _Optional[bytes] = ..., size: _Optional[int] = ..., tag: _Optional[bytes] = ..., measures: _Optional[_Iterable[_Union[Measure, _Mapping]]] = ..., baselines: _Optional[_Iterable[_Union[Baseline, _Mapping]]] = ..., false_tags: _Optional[_Iterable[bytes]] = ..., server_state: _Optional[bytes] = ..., server_state_size: _Optional[int] = ...) -> None: ...

class Winners(_message.Message):
    __slots__ = ("winners",)
    WINNERS_FIELD_NUMBER: _ClassVar[int]
    winners: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, winners: _Optional[_Iterable[bytes]] = ...) -> None: ...

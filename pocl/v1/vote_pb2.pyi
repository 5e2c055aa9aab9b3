from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RankGroup(_message.Message):
    __slots__ = ("miners",)
    MINERS_FIELD_NUMBER: _ClassVar[int]
    miners: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, miners: _Optional[_Iterable[bytes]] = ...) -> None: ...

class VoteCall(_message.Message):
    __slots__ = ()
    class Cast(_message.Message):
        __slots__ = ("labels", "labels_salt", "ranking")
        LABELS_FIELD_NUMBER: _ClassVar[int]
        LABELS_SALT_FIELD_NUMBER: _ClassVar[int]
        RANKING_FIELD_NUMBER: _ClassVar[int]
        labels: bytes
        labels_salt: bytes
        ranking: _containers.RepeatedCompositeFieldContainer[RankGroup]
        def __init__(self, labels: _Optional[bytes] = ..., labels_salt: _Optional[bytes] = ..., ranking: _Optional[_Iterable[_Union[RankGroup, _Mapping]]] = ...) -> None: ...
    def __init__(self) -> None: ...

class VoteEvent(_message.Message):
    __slots__ = ()
    class BallotCast(_message.Message):
        __slots__ = ("round", "owner")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        OWNER_FIELD_NUMBER: _ClassVar[int]
        round: int
        owner: bytes
        def __init__(self, round: _Optional[int] = ..., owner: _Optional[bytes] = ...) -> None: ...
    class ProvisionalWinners(_message.Message):
        __slots__ = ("round", "winners", "counted_owners")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        WINNERS_FIELD_NUMBER: _ClassVar[int]
        COUNTED_OWNERS_FIELD_NUMBER: _ClassVar[int]
        round: int
        winners: _containers.RepeatedScalarFieldContainer[bytes]
        counted_owners: _containers.RepeatedScalarFieldContainer[bytes]
        def __init__(self, round: _Optional[int] = ..., winners: _Optional[_Iterable[bytes]] = ..., counted_owners: _Optional[_Iterable[bytes]] = ...) -> None: ...
    def __init__(self) -> None: ...

class Ballot(_message.Message):
    __slots__ = ("labels", "labels_salt", "ranking")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LABELS_SALT_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    labels: bytes
    labels_salt: bytes
    ranking: _containers.RepeatedCompositeFieldContainer[RankGroup]
    def __init__(self, labels: _Optional[bytes] = ..., labels_salt: _Optional[bytes] = ..., ranking: _Optional[_Iterable[_Union[RankGroup, _Mapping]]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("owner", "correct")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    correct: int
    def __init__(self, owner: _Optional[bytes] = ..., correct: _Optional[int] = ...) -> None: ...

class MinerTally(_message.Message):
    __slots__ = ("miner", "points", "correct", "records", "scores")
    MINER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    miner: bytes
    points: int
    correct: int
    records: int
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    def __init__(self, miner: _Optional[bytes] = ..., points: _Optional[int] = ..., correct: _Optional[int] = ..., records: _Optional[int] = ..., scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ...) -> None: ...

class Tally(_message.Message):
    __slots__ = ("miners", "provisional", "counted_owners", "screened_out")
    MINERS_FIELD_NUMBER: _ClassVar[int]
    PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    COUNTED_OWNERS_FIELD_NUMBER: _ClassVar[int]
    SCREENED_OUT_FIELD_NUMBER: _ClassVar[int]
    miners: _containers.RepeatedCompositeFieldContainer[MinerTally]
    provisional: _containers.RepeatedScalarFieldContainer[bytes]
    counted_owners: _containers.RepeatedScalarFieldContainer[bytes]
    screened_out: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, miners: _Optional[_Iterable[_Union[MinerTally, _Mapping]]] = ..., provisional: _Optional[_Iterable[bytes]] = ..., counted_owners: _Optional[_Iterable[bytes]] = ..., screened_out: _Optional[_Iterable[bytes]] = ...) -> None: ...

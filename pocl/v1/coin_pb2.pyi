from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CoinCall(_message.Message):
    __slots__ = ()
    class Transfer(_message.Message):
        __slots__ = ("dest", "amount")
        DEST_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        dest: bytes
        amount: bytes
        def __init__(self, dest: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    class Cancel(_message.Message):
        __slots__ = ("index",)
        INDEX_FIELD_NUMBER: _ClassVar[int]
        index: int
        def __init__(self, index: _Optional[int] = ...) -> None: ...
    def __init__(self) -> None: ...

class CoinEvent(_message.Message):
    __slots__ = ()
    class TransferQueued(_message.Message):
        __slots__ = ("index", "sender", "dest", "amount")
        INDEX_FIELD_NUMBER: _ClassVar[int]
        SENDER_FIELD_NUMBER: _ClassVar[int]
        DEST_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        index: int
        sender: bytes
        dest: bytes
        amount: bytes
        def __init__(self, index: _Optional[int] = ..., sender: _Optional[bytes] = ..., dest: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    class TransferCancelled(_message.Message):
        __slots__ = ("index", "sender", "amount")
        INDEX_FIELD_NUMBER: _ClassVar[int]
        SENDER_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        index: int
        sender: bytes
        amount: bytes
        def __init__(self, index: _Optional[int] = ..., sender: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    class TransferSettled(_message.Message):
        __slots__ = ("index", "round", "miner", "sender", "dest", "amount")
        INDEX_FIELD_NUMBER: _ClassVar[int]
        ROUND_FIELD_NUMBER: _ClassVar[int]
        MINER_FIELD_NUMBER: _ClassVar[int]
        SENDER_FIELD_NUMBER: _ClassVar[int]
        DEST_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        index: int
        round: int
        miner: bytes
        sender: bytes
        dest: bytes
        amount: bytes
        def __init__(self, index: _Optional[int] = ..., round: _Optional[int] = ..., miner: _Optional[bytes] = ..., sender: _Optional[bytes] = ..., dest: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    class RewardMinted(_message.Message):
        __slots__ = ("round", "miner", "amount")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        MINER_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        round: int
        miner: bytes
        amount: bytes
        def __init__(self, round: _Optional[int] = ..., miner: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    class FeePaid(_message.Message):
        __slots__ = ("who", "author", "amount")
        WHO_FIELD_NUMBER: _ClassVar[int]
        AUTHOR_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        author: bytes
        amount: bytes
        def __init__(self, who: _Optional[bytes] = ..., author: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

class QueuedTransfer(_message.Message):
    __slots__ = ("index", "sender", "dest", "amount")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    DEST_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    index: int
    sender: bytes
    dest: bytes
    amount: bytes
    def __init__(self, index: _Optional[int] = ..., sender: _Optional[bytes] = ..., dest: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...

class TransferPage(_message.Message):
    __slots__ = ("transfers",)
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    transfers: _containers.RepeatedCompositeFieldContainer[QueuedTransfer]
    def __init__(self, transfers: _Optional[_Iterable[_Union[QueuedTransfer, _Mapping]]] = ...) -> None: ...

class IndexRange(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class IndexRanges(_message.Message):
    __slots__ = ("ranges",)
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[IndexRange]
    def __init__(self, ranges: _Optional[_Iterable[_Union[IndexRange, _Mapping]]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("miner", "ranges")
    MINER_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    miner: bytes
    ranges: _containers.RepeatedCompositeFieldContainer[IndexRange]
    def __init__(self, miner: _Optional[bytes] = ..., ranges: _Optional[_Iterable[_Union[IndexRange, _Mapping]]] = ...) -> None: ...

class Assignments(_message.Message):
    __slots__ = ("round", "assignments")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    round: int
    assignments: _containers.RepeatedCompositeFieldContainer[Assignment]
    def __init__(self, round: _Optional[int] = ..., assignments: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ...) -> None: ...

class Payout(_message.Message):
    __slots__ = ("round", "miner", "ranges")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    MINER_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    round: int
    miner: bytes
    ranges: _containers.RepeatedCompositeFieldContainer[IndexRange]
    def __init__(self, round: _Optional[int] = ..., miner: _Optional[bytes] = ..., ranges: _Optional[_Iterable[_Union[IndexRange, _Mapping]]] = ...) -> None: ...

class Payouts(_message.Message):
    __slots__ = ("payouts",)
    PAYOUTS_FIELD_NUMBER: _ClassVar[int]
    payouts: _containers.RepeatedCompositeFieldContainer[Payout]
    def __init__(self, payouts: _Optional[_Iterable[_Union[Payout, _Mapping]]] = ...) -> None: ...

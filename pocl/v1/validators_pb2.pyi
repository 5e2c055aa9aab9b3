from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

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

class ValidatorsConfig(_message.Message):
    __slots__ = ("bond", "slash", "unbonding_epochs", "offline_rounds", "max_validators")
    BOND_FIELD_NUMBER: _ClassVar[int]
    SLASH_FIELD_NUMBER: _ClassVar[int]
    UNBONDING_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_ROUNDS_FIELD_NUMBER: _ClassVar[int]
    MAX_VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    bond: bytes
    slash: bytes
    unbonding_epochs: int
    offline_rounds: int
    max_validators: int
    def __init__(self, bond: _Optional[bytes] = ..., slash: _Optional[bytes] = ..., unbonding_epochs: _Optional[int] = ..., offline_rounds: _Optional[int] = ..., max_validators: _Optional[int] = ...) -> None: ...

class Validator(_message.Message):
    __slots__ = ("bond", "status", "since", "last_epoch", "missed")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Validator.Status]
        WAITING: _ClassVar[Validator.Status]
        ACTIVE: _ClassVar[Validator.Status]
        LEAVING: _ClassVar[Validator.Status]
        EXPELLED: _ClassVar[Validator.Status]
        OUT: _ClassVar[Validator.Status]
        UNBONDING: _ClassVar[Validator.Status]
    STATUS_UNSPECIFIED: Validator.Status
    WAITING: Validator.Status
    ACTIVE: Validator.Status
    LEAVING: Validator.Status
    EXPELLED: Validator.Status
    OUT: Validator.Status
    UNBONDING: Validator.Status
    BOND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LAST_EPOCH_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    bond: bytes
    status: Validator.Status
    since: int
    last_epoch: int
    missed: int
    def __init__(self, bond: _Optional[bytes] = ..., status: _Optional[_Union[Validator.Status, str]] = ..., since: _Optional[int] = ..., last_epoch: _Optional[int] = ..., missed: _Optional[int] = ...) -> None: ...

class ValidatorsCall(_message.Message):
    __slots__ = ()
    class Join(_message.Message):
        __slots__ = ("bond",)
        BOND_FIELD_NUMBER: _ClassVar[int]
        bond: bytes
        def __init__(self, bond: _Optional[bytes] = ...) -> None: ...
    class Leave(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Rejoin(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class ReportEquivocation(_message.Message):
        __slots__ = ("offender", "first", "second")
        OFFENDER_FIELD_NUMBER: _ClassVar[int]
        FIRST_FIELD_NUMBER: _ClassVar[int]
        SECOND_FIELD_NUMBER: _ClassVar[int]
        offender: bytes
        first: bytes
        second: bytes
        def __init__(self, offender: _Optional[bytes] = ..., first: _Optional[bytes] = ..., second: _Optional[bytes] = ...) -> None: ...
    class ReportTwin(_message.Message):
        __slots__ = ("first", "second", "spec_version", "transaction_version")
        FIRST_FIELD_NUMBER: _ClassVar[int]
        SECOND_FIELD_NUMBER: _ClassVar[int]
        SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
        TRANSACTION_VERSION_FIELD_NUMBER: _ClassVar[int]
        first: bytes
        second: bytes
        spec_version: int
        transaction_version: int
        def __init__(self, first: _Optional[bytes] = ..., second: _Optional[bytes] = ..., spec_version: _Optional[int] = ..., transaction_version: _Optional[int] = ...) -> None: ...
    def __init__(self) -> None: ...

class ValidatorsEvent(_message.Message):
    __slots__ = ()
    class Joined(_message.Message):
        __slots__ = ("who", "bond")
        WHO_FIELD_NUMBER: _ClassVar[int]
        BOND_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        bond: bytes
        def __init__(self, who: _Optional[bytes] = ..., bond: _Optional[bytes] = ...) -> None: ...
    class Left(_message.Message):
        __slots__ = ("who",)
        WHO_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        def __init__(self, who: _Optional[bytes] = ...) -> None: ...
    class Rejoined(_message.Message):
        __slots__ = ("who", "bond")
        WHO_FIELD_NUMBER: _ClassVar[int]
        BOND_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        bond: bytes
        def __init__(self, who: _Optional[bytes] = ..., bond: _Optional[bytes] = ...) -> None: ...
    class Entered(_message.Message):
        __slots__ = ("who", "epoch")
        WHO_FIELD_NUMBER: _ClassVar[int]
        EPOCH_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        epoch: int
        def __init__(self, who: _Optional[bytes] = ..., epoch: _Optional[int] = ...) -> None: ...
    class Removed(_message.Message):
        __slots__ = ("who", "epoch", "reason")
        WHO_FIELD_NUMBER: _ClassVar[int]
        EPOCH_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        epoch: int
        reason: str
        def __init__(self, who: _Optional[bytes] = ..., epoch: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
    class Unbonded(_message.Message):
        __slots__ = ("who", "amount")
        WHO_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        amount: bytes
        def __init__(self, who: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...
    class Slashed(_message.Message):
        __slots__ = ("who", "offence", "epoch", "amount", "reporter")
        WHO_FIELD_NUMBER: _ClassVar[int]
        OFFENCE_FIELD_NUMBER: _ClassVar[int]
        EPOCH_FIELD_NUMBER: _ClassVar[int]
        AMOUNT_FIELD_NUMBER: _ClassVar[int]
        REPORTER_FIELD_NUMBER: _ClassVar[int]
        who: bytes
        offence: str
        epoch: int
        amount: bytes
        reporter: bytes
        def __init__(self, who: _Optional[bytes] = ..., offence: _Optional[str] = ..., epoch: _Optional[int] = ..., amount: _Optional[bytes] = ..., reporter: _Optional[bytes] = ...) -> None: ...
    def __init__(self) -> None: ...

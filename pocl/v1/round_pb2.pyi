from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_NONE: _ClassVar[Phase]
    TRAIN: _ClassVar[Phase]
    PREDICT: _ClassVar[Phase]
    REVEAL: _ClassVar[Phase]
    VOTE: _ClassVar[Phase]
    AUDIT: _ClassVar[Phase]
    AGGREGATE: _ClassVar[Phase]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    SETTLED: _ClassVar[Outcome]
    VOID: _ClassVar[Outcome]
PHASE_NONE: Phase
TRAIN: Phase
PREDICT: Phase
REVEAL: Phase
VOTE: Phase
AUDIT: Phase
AGGREGATE: Phase
OUTCOME_UNSPECIFIED: Outcome
SETTLED: Outcome
VOID: Outcome

class RoundConfig(_message.Message):
    __slots__ = ("winners", "test_records", "classes", "min_miners", "train_ms", "predict_ms", "reveal_ms", "vote_ms", "audit_ms", "aggregate_ms", "aggregate_cap_ms", "heartbeat_ms", "voting", "reward", "aggregation", "emission", "base_share_bp", "transfers_per_miner", "audit_tolerance_bp", "screen_margin_bp", "max_weights_bytes", "max_records_bytes", "keep_rounds", "aggregation_parameters")
    WINNERS_FIELD_NUMBER: _ClassVar[int]
    TEST_RECORDS_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    MIN_MINERS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_MS_FIELD_NUMBER: _ClassVar[int]
    PREDICT_MS_FIELD_NUMBER: _ClassVar[int]
    REVEAL_MS_FIELD_NUMBER: _ClassVar[int]
    VOTE_MS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_MS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_MS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_CAP_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    VOTING_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    EMISSION_FIELD_NUMBER: _ClassVar[int]
    BASE_SHARE_BP_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_PER_MINER_FIELD_NUMBER: _ClassVar[int]
    AUDIT_TOLERANCE_BP_FIELD_NUMBER: _ClassVar[int]
    SCREEN_MARGIN_BP_FIELD_NUMBER: _ClassVar[int]
    MAX_WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RECORDS_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEEP_ROUNDS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    winners: int
    test_records: int
    classes: int
    min_miners: int
    train_ms: int
    predict_ms: int
    reveal_ms: int
    vote_ms: int
    audit_ms: int
    aggregate_ms: int
    aggregate_cap_ms: int
    heartbeat_ms: int
    voting: str
    reward: str
    aggregation: str
    emission: bytes
    base_share_bp: int
    transfers_per_miner: int
    audit_tolerance_bp: int
    screen_margin_bp: int
    max_weights_bytes: int
    max_records_bytes: int
    keep_rounds: int
    aggregation_parameters: AggregationParameters
    def __init__(self, winners: _Optional[int] = ..., test_records: _Optional[int] = ..., classes: _Optional[int] = ..., min_miners: _Optional[int] = ..., train_ms: _Optional[int] = ..., predict_ms: _Optional[int] = ..., reveal_ms: _Optional[int] = ..., vote_ms: _Optional[int] = ..., audit_ms: _Optional[int] = ..., aggregate_ms: _Optional[int] = ..., aggregate_cap_ms: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ..., voting: _Optional[str] = ..., reward: _Optional[str] = ..., aggregation: _Optional[str] = ..., emission: _Optional[bytes] = ..., base_share_bp: _Optional[int] = ..., transfers_per_miner: _Optional[int] = ..., audit_tolerance_bp: _Optional[int] = ..., screen_margin_bp: _Optional[int] = ..., max_weights_bytes: _Optional[int] = ..., max_records_bytes: _Optional[int] = ..., keep_rounds: _Optional[int] = ..., aggregation_parameters: _Optional[_Union[AggregationParameters, _Mapping]] = ...) -> None: ...

class AggregationParameters(_message.Message):
    __slots__ = ("faulty", "selected", "trim", "steps", "weight_cap", "norm", "radius", "learning_rate", "momentum", "beta_1", "beta_2", "adaptivity")
    FAULTY_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    TRIM_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_CAP_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    RADIUS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    MOMENTUM_FIELD_NUMBER: _ClassVar[int]
    BETA_1_FIELD_NUMBER: _ClassVar[int]
    BETA_2_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVITY_FIELD_NUMBER: _ClassVar[int]
    faulty: int
    selected: int
    trim: int
    steps: int
    weight_cap: int
    norm: int
    radius: int
    learning_rate: int
    momentum: int
    beta_1: int
    beta_2: int
    adaptivity: int
    def __init__(self, faulty: _Optional[int] = ..., selected: _Optional[int] = ..., trim: _Optional[int] = ..., steps: _Optional[int] = ..., weight_cap: _Optional[int] = ..., norm: _Optional[int] = ..., radius: _Optional[int] = ..., learning_rate: _Optional[int] = ..., momentum: _Optional[int] = ..., beta_1: _Optional[int] = ..., beta_2: _Optional[int] = ..., adaptivity: _Optional[int] = ...) -> None: ...

class RoundCall(_message.Message):
    __slots__ = ()
    class Ready(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    def __init__(self) -> None: ...

class RoundEvent(_message.Message):
    __slots__ = ()
    class RoundStarted(_message.Message):
        __slots__ = ("round", "global_model", "miners")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
        MINERS_FIELD_NUMBER: _ClassVar[int]
        round: int
        global_model: bytes
        miners: _containers.RepeatedScalarFieldContainer[bytes]
        def __init__(self, round: _Optional[int] = ..., global_model: _Optional[bytes] = ..., miners: _Optional[_Iterable[bytes]] = ...) -> None: ...
    class PhaseChanged(_message.Message):
        __slots__ = ("round", "phase", "early")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        EARLY_FIELD_NUMBER: _ClassVar[int]
        round: int
        phase: Phase
        early: bool
        def __init__(self, round: _Optional[int] = ..., phase: _Optional[_Union[Phase, str]] = ..., early: _Optional[bool] = ...) -> None: ...
    class MinerReady(_message.Message):
        __slots__ = ("round", "miner")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        MINER_FIELD_NUMBER: _ClassVar[int]
        round: int
        miner: bytes
        def __init__(self, round: _Optional[int] = ..., miner: _Optional[bytes] = ...) -> None: ...
    class OwnerUnavailable(_message.Message):
        __slots__ = ("round", "owner")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        OWNER_FIELD_NUMBER: _ClassVar[int]
        round: int
        owner: bytes
        def __init__(self, round: _Optional[int] = ..., owner: _Optional[bytes] = ...) -> None: ...
    class RoundSettled(_message.Message):
        __slots__ = ("round", "winners", "global_model")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        WINNERS_FIELD_NUMBER: _ClassVar[int]
        GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
        round: int
        winners: _containers.RepeatedScalarFieldContainer[bytes]
        global_model: bytes
        def __init__(self, round: _Optional[int] = ..., winners: _Optional[_Iterable[bytes]] = ..., global_model: _Optional[bytes] = ...) -> None: ...
    class RoundVoid(_message.Message):
        __slots__ = ("round", "reason")
        ROUND_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        round: int
        reason: str
        def __init__(self, round: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
    def __init__(self) -> None: ...

class RoundState(_message.Message):
    __slots__ = ("round", "phase", "phase_clock_ms", "last_timestamp_ms", "late_authors", "started_ms", "started_block", "global_model", "miners", "expected", "seed", "phase_started_block", "server_state")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PHASE_CLOCK_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    LATE_AUTHORS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_BLOCK_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
    MINERS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PHASE_STARTED_BLOCK_FIELD_NUMBER: _ClassVar[int]
    SERVER_STATE_FIELD_NUMBER: _ClassVar[int]
    round: int
    phase: Phase
    phase_clock_ms: int
    last_timestamp_ms: int
    late_authors: _containers.RepeatedScalarFieldContainer[bytes]
    started_ms: int
    started_block: int
    global_model: bytes
    miners: _containers.RepeatedScalarFieldContainer[bytes]
    expected: _containers.RepeatedScalarFieldContainer[bytes]
    seed: bytes
    phase_started_block: int
    server_state: bytes
    def __init__(self, round: _Optional[int] = ..., phase: _Optional[_Union[Phase, str]] = ..., phase_clock_ms: _Optional[int] = ..., last_timestamp_ms: _Optional[int] = ..., late_authors: _Optional[_Iterable[bytes]] = ..., started_ms: _Optional[int] = ..., started_block: _Optional[int] = ..., global_model: _Optional[bytes] = ..., miners: _Optional[_Iterable[bytes]] = ..., expected: _Optional[_Iterable[bytes]] = ..., seed: _Optional[bytes] = ..., phase_started_block: _Optional[int] = ..., server_state: _Optional[bytes] = ...) -> None: ...

class Reward(_message.Message):
    __slots__ = ("miner", "amount")
    MINER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    miner: bytes
    amount: bytes
    def __init__(self, miner: _Optional[bytes] = ..., amount: _Optional[bytes] = ...) -> None: ...

class RoundSummary(_message.Message):
    __slots__ = ("round", "outcome", "void_reason", "previous_model", "global_model", "winners", "rewards", "attesters", "started_ms", "ended_ms", "started_block", "ended_block", "digest", "server_state")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VOID_REASON_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_MODEL_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_MODEL_FIELD_NUMBER: _ClassVar[int]
    WINNERS_FIELD_NUMBER: _ClassVar[int]
    REWARDS_FIELD_NUMBER: _ClassVar[int]
    ATTESTERS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_BLOCK_FIELD_NUMBER: _ClassVar[int]
    ENDED_BLOCK_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SERVER_STATE_FIELD_NUMBER: _ClassVar[int]
    round: int
    outcome: Outcome
    void_reason: str
    previous_model: bytes
    global_model: bytes
    winners: _containers.RepeatedScalarFieldContainer[bytes]
    rewards: _containers.RepeatedCompositeFieldContainer[Reward]
    attesters: _containers.RepeatedScalarFieldContainer[bytes]
    started_ms: int
    ended_ms: int
    started_block: int
    ended_block: int
    digest: bytes
    server_state: bytes
    def __init__(self, round: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., void_reason: _Optional[str] = ..., previous_model: _Optional[bytes] = ..., global_model: _Optional[bytes] = ..., winners: _Optional[_Iterable[bytes]] = ..., rewards: _Optional[_Iterable[_Union[Reward, _Mapping]]] = ..., attesters: _Optional[_Iterable[bytes]] = ..., started_ms: _Optional[int] = ..., ended_ms: _Optional[int] = ..., started_block: _Optional[int] = ..., ended_block: _Optional[int] = ..., digest: _Optional[bytes] = ..., server_state: _Optional[bytes] = ...) -> None: ...

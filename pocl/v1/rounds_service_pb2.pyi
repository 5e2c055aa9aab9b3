from pocl.v1 import aggregation_pb2 as _aggregation_pb2
from pocl.v1 import coin_pb2 as _coin_pb2
from pocl.v1 import model_propose_pb2 as _model_propose_pb2
from pocl.v1 import prediction_pb2 as _prediction_pb2
from pocl.v1 import round_pb2 as _round_pb2
from pocl.v1 import vote_pb2 as _vote_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCurrentRoundRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRoundRequest(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: int
    def __init__(self, round: _Optional[int] = ...) -> None: ...

class ListSummariesRequest(_message.Message):
    __slots__ = ("from_round", "limit")
    FROM_ROUND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    from_round: int
    limit: int
    def __init__(self, from_round: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListSummariesResponse(_message.Message):
    __slots__ = ("summaries", "next_round")
    SUMMARIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROUND_FIELD_NUMBER: _ClassVar[int]
    summaries: _containers.RepeatedCompositeFieldContainer[_round_pb2.RoundSummary]
    next_round: int
    def __init__(self, summaries: _Optional[_Iterable[_Union[_round_pb2.RoundSummary, _Mapping]]] = ..., next_round: _Optional[int] = ...) -> None: ...

class SubscribeRoundsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MinerView(_message.Message):
    __slots__ = ("miner", "ready", "proposal", "commit", "reveal", "ballot", "audit", "attestation")
    MINER_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    REVEAL_FIELD_NUMBER: _ClassVar[int]
    BALLOT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    miner: bytes
    ready: bool
    proposal: _model_propose_pb2.ModelProposal
    commit: _prediction_pb2.PredictionCommit
    reveal: _prediction_pb2.PredictionReveal
    ballot: _vote_pb2.Ballot
    audit: _aggregation_pb2.AuditRecord
    attestation: _aggregation_pb2.Attestation
    def __init__(self, miner: _Optional[bytes] = ..., ready: _Optional[bool] = ..., proposal: _Optional[_Union[_model_propose_pb2.ModelProposal, _Mapping]] = ..., commit: _Optional[_Union[_prediction_pb2.PredictionCommit, _Mapping]] = ..., reveal: _Optional[_Union[_prediction_pb2.PredictionReveal, _Mapping]] = ..., ballot: _Optional[_Union[_vote_pb2.Ballot, _Mapping]] = ..., audit: _Optional[_Union[_aggregation_pb2.AuditRecord, _Mapping]] = ..., attestation: _Optional[_Union[_aggregation_pb2.Attestation, _Mapping]] = ...) -> None: ...

class RoundView(_message.Message):
    __slots__ = ("round", "config", "state", "miners", "assignments", "tally", "confirmed", "summary", "at_block", "at_block_hash")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MINERS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    TALLY_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    round: int
    config: _round_pb2.RoundConfig
    state: _round_pb2.RoundState
    miners: _containers.RepeatedCompositeFieldContainer[MinerView]
    assignments: _coin_pb2.Assignments
    tally: _vote_pb2.Tally
    confirmed: _aggregation_pb2.Winners
    summary: _round_pb2.RoundSummary
    at_block: int
    at_block_hash: bytes
    def __init__(self, round: _Optional[int] = ..., config: _Optional[_Union[_round_pb2.RoundConfig, _Mapping]] = ..., state: _Optional[_Union[_round_pb2.RoundState, _Mapping]] = ..., miners: _Optional[_Iterable[_Union[MinerView, _Mapping]]] = ..., assignments: _Optional[_Union[_coin_pb2.Assignments, _Mapping]] = ..., tally: _Optional[_Union[_vote_pb2.Tally, _Mapping]] = ..., confirmed: _Optional[_Union[_aggregation_pb2.Winners, _Mapping]] = ..., summary: _Optional[_Union[_round_pb2.RoundSummary, _Mapping]] = ..., at_block: _Optional[int] = ..., at_block_hash: _Optional[bytes] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetNodeInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NodeInfo(_message.Message):
    __slots__ = ("name", "version", "peer_id", "addresses", "chain", "role", "validator", "peers", "epoch", "view", "leader", "final_number", "best_number", "pool_ready", "pool_future", "syncing", "worker", "finality_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    POOL_READY_FIELD_NUMBER: _ClassVar[int]
    POOL_FUTURE_FIELD_NUMBER: _ClassVar[int]
    SYNCING_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    FINALITY_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    peer_id: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    chain: str
    role: str
    validator: bytes
    peers: int
    epoch: int
    view: int
    leader: bytes
    final_number: int
    best_number: int
    pool_ready: int
    pool_future: int
    syncing: bool
    worker: str
    finality_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., peer_id: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., chain: _Optional[str] = ..., role: _Optional[str] = ..., validator: _Optional[bytes] = ..., peers: _Optional[int] = ..., epoch: _Optional[int] = ..., view: _Optional[int] = ..., leader: _Optional[bytes] = ..., final_number: _Optional[int] = ..., best_number: _Optional[int] = ..., pool_ready: _Optional[int] = ..., pool_future: _Optional[int] = ..., syncing: _Optional[bool] = ..., worker: _Optional[str] = ..., finality_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class ListPeersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PeerInfo(_message.Message):
    __slots__ = ("peer_id", "address", "role", "validator", "final_number", "name")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    peer_id: str
    address: str
    role: str
    validator: bytes
    final_number: int
    name: str
    def __init__(self, peer_id: _Optional[str] = ..., address: _Optional[str] = ..., role: _Optional[str] = ..., validator: _Optional[bytes] = ..., final_number: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class ListPeersResponse(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedCompositeFieldContainer[PeerInfo]
    def __init__(self, peers: _Optional[_Iterable[_Union[PeerInfo, _Mapping]]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NodeStatus(_message.Message):
    __slots__ = ("sentence", "state", "hints", "name", "role", "chain", "final_number", "final_hash", "final_age_ms", "best_number", "agreement", "round", "validators", "peers", "syncing", "behind", "clock_offset_ms", "worker", "worker_error", "disk_free", "database_bytes", "up_ms")
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HINTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FINAL_HASH_FIELD_NUMBER: _ClassVar[int]
    FINAL_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    BEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    SYNCING_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    CLOCK_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    WORKER_ERROR_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_BYTES_FIELD_NUMBER: _ClassVar[int]
    UP_MS_FIELD_NUMBER: _ClassVar[int]
    sentence: str
    state: str
    hints: _containers.RepeatedScalarFieldContainer[str]
    name: str
    role: str
    chain: str
    final_number: int
    final_hash: bytes
    final_age_ms: int
    best_number: int
    agreement: AgreementStatus
    round: RoundStatus
    validators: _containers.RepeatedCompositeFieldContainer[ValidatorStatus]
    peers: int
    syncing: bool
    behind: int
    clock_offset_ms: int
    worker: str
    worker_error: str
    disk_free: int
    database_bytes: int
    up_ms: int
    def __init__(self, sentence: _Optional[str] = ..., state: _Optional[str] = ..., hints: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., chain: _Optional[str] = ..., final_number: _Optional[int] = ..., final_hash: _Optional[bytes] = ..., final_age_ms: _Optional[int] = ..., best_number: _Optional[int] = ..., agreement: _Optional[_Union[AgreementStatus, _Mapping]] = ..., round: _Optional[_Union[RoundStatus, _Mapping]] = ..., validators: _Optional[_Iterable[_Union[ValidatorStatus, _Mapping]]] = ..., peers: _Optional[int] = ..., syncing: _Optional[bool] = ..., behind: _Optional[int] = ..., clock_offset_ms: _Optional[int] = ..., worker: _Optional[str] = ..., worker_error: _Optional[str] = ..., disk_free: _Optional[int] = ..., database_bytes: _Optional[int] = ..., up_ms: _Optional[int] = ...) -> None: ...

class AgreementStatus(_message.Message):
    __slots__ = ("epoch", "view", "leader", "quorum", "proposed", "final_view", "finalizing_view", "abstains", "abstains_until")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_FIELD_NUMBER: _ClassVar[int]
    FINAL_VIEW_FIELD_NUMBER: _ClassVar[int]
    FINALIZING_VIEW_FIELD_NUMBER: _ClassVar[int]
    ABSTAINS_FIELD_NUMBER: _ClassVar[int]
    ABSTAINS_UNTIL_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    view: int
    leader: bytes
    quorum: int
    proposed: bool
    final_view: int
    finalizing_view: int
    abstains: bool
    abstains_until: int
    def __init__(self, epoch: _Optional[int] = ..., view: _Optional[int] = ..., leader: _Optional[bytes] = ..., quorum: _Optional[int] = ..., proposed: _Optional[bool] = ..., final_view: _Optional[int] = ..., finalizing_view: _Optional[int] = ..., abstains: _Optional[bool] = ..., abstains_until: _Optional[int] = ...) -> None: ...

class RoundStatus(_message.Message):
    __slots__ = ("round", "phase", "miners_awaited", "deadline_ms")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    MINERS_AWAITED_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    round: int
    phase: str
    miners_awaited: _containers.RepeatedScalarFieldContainer[bytes]
    deadline_ms: int
    def __init__(self, round: _Optional[int] = ..., phase: _Optional[str] = ..., miners_awaited: _Optional[_Iterable[bytes]] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class ValidatorStatus(_message.Message):
    __slots__ = ("account", "name", "connected", "notarized", "nullified", "finalized", "final_number", "clock_offset_ms")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    NOTARIZED_FIELD_NUMBER: _ClassVar[int]
    NULLIFIED_FIELD_NUMBER: _ClassVar[int]
    FINALIZED_FIELD_NUMBER: _ClassVar[int]
    FINAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CLOCK_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    name: str
    connected: bool
    notarized: bool
    nullified: bool
    finalized: bool
    final_number: int
    clock_offset_ms: int
    def __init__(self, account: _Optional[bytes] = ..., name: _Optional[str] = ..., connected: _Optional[bool] = ..., notarized: _Optional[bool] = ..., nullified: _Optional[bool] = ..., finalized: _Optional[bool] = ..., final_number: _Optional[int] = ..., clock_offset_ms: _Optional[int] = ...) -> None: ...

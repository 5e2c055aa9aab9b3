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

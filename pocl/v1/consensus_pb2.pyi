from pocl.v1 import block_pb2 as _block_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoteKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOTE_KIND_UNSPECIFIED: _ClassVar[VoteKind]
    NOTARIZE: _ClassVar[VoteKind]
    NULLIFY: _ClassVar[VoteKind]
    FINALIZE: _ClassVar[VoteKind]
VOTE_KIND_UNSPECIFIED: VoteKind
NOTARIZE: VoteKind
NULLIFY: VoteKind
FINALIZE: VoteKind

class Vote(_message.Message):
    __slots__ = ("epoch", "view", "kind", "block_hash", "validator", "signature")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    view: int
    kind: VoteKind
    block_hash: bytes
    validator: int
    signature: bytes
    def __init__(self, epoch: _Optional[int] = ..., view: _Optional[int] = ..., kind: _Optional[_Union[VoteKind, str]] = ..., block_hash: _Optional[bytes] = ..., validator: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("epoch", "view", "kind", "block_hash", "signers", "signatures")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    SIGNERS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    view: int
    kind: VoteKind
    block_hash: bytes
    signers: bytes
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, epoch: _Optional[int] = ..., view: _Optional[int] = ..., kind: _Optional[_Union[VoteKind, str]] = ..., block_hash: _Optional[bytes] = ..., signers: _Optional[bytes] = ..., signatures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("epoch", "view", "block", "parent_view", "parent_certificate", "nullifications", "signature")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    PARENT_VIEW_FIELD_NUMBER: _ClassVar[int]
    PARENT_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    NULLIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    view: int
    block: _block_pb2.Block
    parent_view: int
    parent_certificate: Certificate
    nullifications: _containers.RepeatedCompositeFieldContainer[Certificate]
    signature: bytes
    def __init__(self, epoch: _Optional[int] = ..., view: _Optional[int] = ..., block: _Optional[_Union[_block_pb2.Block, _Mapping]] = ..., parent_view: _Optional[int] = ..., parent_certificate: _Optional[_Union[Certificate, _Mapping]] = ..., nullifications: _Optional[_Iterable[_Union[Certificate, _Mapping]]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class CatchUpRequest(_message.Message):
    __slots__ = ("epoch", "view", "missing")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    view: int
    missing: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, epoch: _Optional[int] = ..., view: _Optional[int] = ..., missing: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ConsensusMessage(_message.Message):
    __slots__ = ("proposal", "vote", "certificate", "catch_up")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    proposal: Proposal
    vote: Vote
    certificate: Certificate
    catch_up: CatchUpRequest
    def __init__(self, proposal: _Optional[_Union[Proposal, _Mapping]] = ..., vote: _Optional[_Union[Vote, _Mapping]] = ..., certificate: _Optional[_Union[Certificate, _Mapping]] = ..., catch_up: _Optional[_Union[CatchUpRequest, _Mapping]] = ...) -> None: ...

class Justification(_message.Message):
    __slots__ = ("descendants", "certificate")
    DESCENDANTS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    descendants: _containers.RepeatedCompositeFieldContainer[_block_pb2.Header]
    certificate: Certificate
    def __init__(self, descendants: _Optional[_Iterable[_Union[_block_pb2.Header, _Mapping]]] = ..., certificate: _Optional[_Union[Certificate, _Mapping]] = ...) -> None: ...

"""From exceptions to gRPC statuses: one line for the client, a traceback in the log only for a defect of the
node.

what happened                                               status
malformed, badly signed, wrong chain or version             INVALID_ARGUMENT
stale, expired, cannot pay, call refused, state pruned      FAILED_PRECONDITION
in the pool already, or its place in the pool is taken      ALREADY_EXISTS
pool or blob store full, too many calls or streams          RESOURCE_EXHAUSTED
no such block, round, transaction, blob                     NOT_FOUND
the node is stopping                                        UNAVAILABLE
the node's disk failed: it is about to stop                 DATA_LOSS
anything nobody expected                                    INTERNAL
"""

from __future__ import annotations

import logging

import grpc
import trio

from node.blobs import BlobDiskError, BlobStoreError
from node.consensus.log import LogError
from node.pool import AlreadyInPool, PoolError, PoolFull, Underpriced
from node.storage.errors import StatePruned, StorageError, UnknownState
from pocl.extrinsics import ExtrinsicError
from pocl.keys import KeyError_
from runtime.codec import CodecError
from runtime.frame.errors import InvalidTransaction
from runtime.transactions import CallDefect

log = logging.getLogger("pocl.rpc")

_BAD_BYTES = frozenset({"malformed", "bad_signature", "unknown_call"})
"""Codes of InvalidTransaction that no later state can heal."""


class RpcFault(Exception):
    """What a service answers instead of a result: a status and one line."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> RpcFault:
    """The request itself is wrong."""
    return RpcFault(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> RpcFault:
    """There is no such thing here, at least not yet."""
    return RpcFault(grpc.StatusCode.NOT_FOUND, message)


def refused(message: str) -> RpcFault:
    """The request is fine, the state of the chain or the node does not allow it."""
    return RpcFault(grpc.StatusCode.FAILED_PRECONDITION, message)


def exhausted(message: str) -> RpcFault:
    """A bound is reached."""
    return RpcFault(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def stopping() -> RpcFault:
    """The node is on its way out."""
    return RpcFault(grpc.StatusCode.UNAVAILABLE, "the node is stopping")


def fault_of(error: BaseException, method: str) -> RpcFault:
    """Return what to answer for an exception of a handler (the table in the module's docstring)."""
    known = _known(error)
    if known is not None:
        return known
    log.error("%s failed", method, exc_info=error)
    return RpcFault(
        grpc.StatusCode.INTERNAL, f"internal error ({type(error).__name__}): the node's log has it"
    )


def _known(error: BaseException) -> RpcFault | None:
    code = grpc.StatusCode
    if isinstance(error, RpcFault):
        return error
    if isinstance(error, (trio.Cancelled, trio.RunFinishedError)):
        return stopping()
    if isinstance(error, InvalidTransaction) and not isinstance(error, CallDefect):
        bad = error.code in _BAD_BYTES
        return RpcFault(code.INVALID_ARGUMENT if bad else code.FAILED_PRECONDITION, reason_of(error))
    if isinstance(error, (AlreadyInPool, Underpriced)):
        return RpcFault(code.ALREADY_EXISTS, str(error))
    if isinstance(error, (BlobDiskError, LogError)):
        return RpcFault(code.DATA_LOSS, str(error))
    if isinstance(error, (PoolFull, BlobStoreError)):
        return exhausted(str(error))
    if isinstance(error, (StatePruned, UnknownState, PoolError)):
        return refused(str(error))
    if isinstance(error, StorageError):
        return RpcFault(code.DATA_LOSS, str(error))
    if isinstance(error, (CodecError, KeyError_, ExtrinsicError)):
        return invalid(str(error))
    return None


def reason_of(error: InvalidTransaction | PoolError) -> str:
    """Return why an extrinsic is not taken, in one line that begins with the dispatch error where there is one."""
    if isinstance(error, InvalidTransaction) and error.label and not error.reason.startswith(error.label):
        return f"{error.label}: {error.reason}"
    return str(error)

"""The interceptor around every method of every service: bounds before, statuses after.

- A message that does not parse is INVALID_ARGUMENT, not the library's INTERNAL.
- The rate of a host and the number of its streams are bounded.
- An exception becomes a status (node/rpc/errors.py). trio's Cancelled, a BaseException, is one of them: the
  library would let it end the thread and leave the client without an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from node.rpc.auth import is_worker
from node.rpc.errors import exhausted, fault_of, invalid, stopping
from node.rpc.limits import PlaceLimit, RateLimit, RpcLimits, host_of, is_loopback

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_NOTHING = nullcontext()
"""It may be entered by many at once."""


class _Malformed:
    """Stands for a request whose bytes did not parse."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Guard(grpc.ServerInterceptor):
    """See the module's docstring. `close` makes every later call UNAVAILABLE."""

    def __init__(self, limits: RpcLimits, worker_token: str | None) -> None:
        self._token = worker_token
        self._rate = RateLimit(limits.calls_per_second, limits.burst)
        self._streams = PlaceLimit(limits.streams, limits.streams_per_host, "streams are open")
        self._worker_streams = PlaceLimit(limits.worker_streams, limits.worker_streams, "streams are open")
        self._loopback_factor = limits.loopback_factor
        self._extrinsics_per_call = limits.extrinsics_per_call
        # Wrapped once, not for each call: method -> (as the server has it, wrapped).
        self._handlers: dict[str, tuple[_Handler, _Handler]] = {}
        self._closed = False

    def close(self) -> None:
        """Refuse calls from now on: the node is stopping."""
        self._closed = True

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], _Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """Return the method's handler, wrapped."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is None or known[0] is not handler:
            known = self._handlers[method] = handler, self._wrapped(handler, method)
        return known[1]

    def _wrapped(self, handler: _Handler, method: str) -> _Handler:
        decode = _tolerant(handler.request_deserializer)
        encode = handler.response_serializer
        streaming = handler.request_streaming or handler.response_streaming
        if handler.response_streaming:
            behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream
            stream = self._stream(behaviour, method)
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(stream, decode, encode)
        behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
        unary = self._unary(behaviour, method, streaming)
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(unary, decode, encode)
        return grpc.unary_unary_rpc_method_handler(unary, decode, encode)

    def _unary(
        self, behaviour: Any, method: str, streaming: bool
    ) -> Callable[[Any, grpc.ServicerContext], Any]:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                with self._admit(context, streaming):
                    return behaviour(_checked(request, streaming), context)
            except BaseException as error:
                _abort(context, error, method)

        return call

    def _stream(self, behaviour: Any, method: str) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
        def call(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            try:
                with self._admit(context, streaming=True):
                    yield from behaviour(_checked(request, hasattr(request, "__next__")), context)
            except GeneratorExit:
                raise
            except BaseException as error:
                _abort(context, error, method)

        return call

    def _admit(self, context: grpc.ServicerContext, streaming: bool) -> AbstractContextManager[None]:
        """Check the bounds and hold a stream's place for as long as the result is entered."""
        if self._closed:
            raise stopping()
        if is_worker(context, self._token):
            return self._worker_streams.hold("worker") if streaming else _NOTHING
        self._take(context.peer(), 1.0)
        return self._streams.hold(host_of(context.peer())) if streaming else _NOTHING

    def charge_batch(self, context: grpc.ServicerContext, extrinsics: int) -> None:
        """Count a call that began by what it is to do. Raise RpcFault (RESOURCE_EXHAUSTED) when that is too much."""
        calls = extrinsics / self._extrinsics_per_call
        if calls > 1 and not is_worker(context, self._token):
            self._take(context.peer(), calls - 1)

    def _take(self, peer: str, calls: float) -> None:
        if not self._rate.take(host_of(peer), self._loopback_factor if is_loopback(peer) else 1.0, calls):
            raise exhausted("too many calls from your address: slow down")


def _tolerant(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if decode is None:
        return None

    def tolerant(data: bytes) -> Any:
        try:
            return decode(data)
        except (DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _Malformed(" ".join(str(error).split()) or "malformed bytes")

    return tolerant


def _checked(request: Any, streaming: bool) -> Any:
    """Return a request, or an iterator of requests, whose messages are well-formed."""
    if streaming:
        return map(_well_formed, request)
    return _well_formed(request)


def _well_formed(request: Any) -> Any:
    if isinstance(request, _Malformed):
        raise invalid(f"not a message of this method: {request.reason}")
    return request


def _abort(context: grpc.ServicerContext, error: BaseException, method: str) -> NoReturn:
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error
    if isinstance(error, grpc.RpcError) or not context.is_active():
        # The client has gone: nobody reads a status, and the library's own way out is to raise on.
        fault = stopping()
    else:
        fault = fault_of(error, method)
    context.abort(fault.code, " ".join(fault.message.split()))

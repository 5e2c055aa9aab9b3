"""Who may call the unsafe methods: the node's own worker, from this machine, with the token the node gave it."""

from __future__ import annotations

import hmac

import grpc

from node.rpc.errors import RpcFault
from node.rpc.limits import is_loopback

_SCHEME = "Bearer "


def is_worker(context: grpc.ServicerContext, token: str | None) -> bool:
    """Tell whether the caller is the node's worker."""
    if not token or not is_loopback(context.peer()):
        return False
    given = _authorization(context)
    # Compared in constant time: how long a refusal takes must not tell how much of the token was right.
    return given is not None and hmac.compare_digest(given.encode(), (_SCHEME + token).encode())


def require_worker(context: grpc.ServicerContext, token: str | None) -> None:
    """Raise RpcFault (PERMISSION_DENIED) unless the caller is the node's worker."""
    if not is_worker(context, token):
        raise RpcFault(
            grpc.StatusCode.PERMISSION_DENIED,
            "WorkerService is for the node's own worker: loopback, with its token as Bearer authorization",
        )


def _authorization(context: grpc.ServicerContext) -> str | None:
    for name, value in context.invocation_metadata():
        if name == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    return None

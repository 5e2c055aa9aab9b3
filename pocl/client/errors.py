"""The one exception of the client."""

from __future__ import annotations


class ClientError(Exception):
    """A call failed. `code` is the gRPC status' name, such as NOT_FOUND; the message is one line for people.

    UNAVAILABLE: no node answers there, or it is stopping. DEADLINE_EXCEEDED: it did not answer in time. What
    the client itself refuses before asking (a bad address, an unknown call) is INVALID_ARGUMENT.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code

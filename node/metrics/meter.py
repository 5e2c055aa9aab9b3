"""What is measured where it happens. This meter measures nothing: parts use one without asking who wants to know."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from pocl import keys

Part = Literal["execution", "commit"]
"""Work on a block: running it on its parent's state, the new state root included; writing it to disk once final."""

_UNTIMED = nullcontext()


class Meter:
    """Any thread may use it."""

    def finality(self, seconds: float) -> None:
        """Note how long a block took from its proposal to its finality."""

    def timed(self, part: Part) -> AbstractContextManager[object]:
        """Return what measures the time of its block of code."""
        return _UNTIMED

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Tell what `pocl.keys.verify` tells."""
        return keys.verify(public, message, signature)


NO_METER = Meter()

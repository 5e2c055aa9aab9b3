"""Events that wait for the core, those that peers send bounded for each sender.

Between two events the core may wait for the disk while readers go on, so without a bound a flood of large messages
would fill the memory, and one of small ones would stand before everybody else's votes. So each validator of the set
may have MAX_MESSAGES or MAX_BYTES waiting (one message more, whatever its size), and all others together as much;
beyond it messages are dropped, as a network drops them, and are had by asking again. Each of the others also has a
rate: only a validator's messages matter to agreement, theirs are at best what a validator has sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from node.consensus.types import Event, MessageReceived
from node.network.fairness import Rates

MAX_MESSAGES = 2048
MAX_BYTES = 8 * 2**20

_STRANGER_PER_S, _STRANGER_BURST, _STRANGERS = 20.0, 100.0, 256


class Inbox:
    """See the module's text. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._events: deque[tuple[Event, Hashable, int]] = deque()
        self._waiting: dict[Hashable, tuple[int, int]] = {}
        self._rates = Rates(_STRANGER_PER_S, _STRANGER_BURST, _STRANGERS, now)

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Add an event of this node's own."""
        self._events.append((event, None, 0))

    def put_message(self, event: MessageReceived, known: bool) -> bool:
        """Add what a peer sent, `known` if it is a validator of the set. Return False when it is dropped."""
        sender = event.account if known else b""
        count, size = self._waiting.get(sender, (0, 0))
        if count >= MAX_MESSAGES or size >= MAX_BYTES or not (known or self._rates.take(event.peer)):
            return False
        own_size = event.message.ByteSize()
        self._waiting[sender] = (count + 1, size + own_size)
        self._events.append((event, sender, own_size))
        return True

    def pop(self) -> Event:
        """Take the oldest event out. Raise IndexError when there is none."""
        event, sender, own_size = self._events.popleft()
        if sender is not None:
            count, size = self._waiting.pop(sender)
            if count > 1:
                self._waiting[sender] = (count - 1, size - own_size)
        return event

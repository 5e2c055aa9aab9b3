"""Who wants to hear of something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Listeners(Generic[T]):
    """Functions that are called with each piece of news, in the order in which they subscribed."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[T], None]] = {}

    def subscribe(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Call `listener` with every piece of news from now on; return what ends that. It must not raise."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def tell(self, news: T) -> None:
        """Call every listener."""
        for listener in list(self._listeners.values()):
            listener(news)

"""Views of the current round as the node streams them: the newest is kept, older ones are skipped.

A thread reads the stream, so that a long training does not delay it, and subscribes again when it breaks:
at once after a stream that gave something, else after a pause that doubles up to MAX_PAUSE_S.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import grpc

from node.worker.connection import Connection
from pocl.v1.round_pb2 import Phase
from pocl.v1.rounds_service_pb2 import RoundView, SubscribeRoundsRequest

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0


class ViewFeed:
    """The newest view. `start` once, then `take` from one thread; the others from any."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._newest: RoundView | None = None
        self._taken = True
        self._stopping = connection.stopping
        self._stream: Any = None
        self._thread = threading.Thread(target=self._run, name="views", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading, and with it the worker's work; `take` returns None from now on."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()
        with self._changed:
            self._changed.notify_all()

    def take(self) -> RoundView | None:
        """Wait for a view newer than the last one taken, and return the newest; None once stopped."""
        with self._changed:
            while self._taken and not self._stopping.is_set():
                self._changed.wait()
            if self._stopping.is_set():
                return None
            self._taken = True
            return self._newest

    def training_is_over(self, round: int) -> bool:
        """Tell whether the newest view is past the TRAIN phase of this round."""
        newest = self._newest
        return newest is not None and (newest.round, newest.state.phase) > (round, Phase.TRAIN)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            gave_something = False
            try:
                for view in self._subscribe():
                    gave_something = True
                    self._put(view)
                reason = "it ended"
            except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed
                reason = error.details() if isinstance(error, grpc.Call) else str(error)
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE_S if gave_something else min(2 * pause, MAX_PAUSE_S)
            log.info("the stream of rounds broke (%s): subscribing again in %.1f s", reason, pause)
            self._stopping.wait(pause)

    def _subscribe(self) -> Iterator[RoundView]:
        rounds = self._connection.rounds
        self._stream = rounds.Subscribe(SubscribeRoundsRequest(), metadata=self._connection.metadata)
        stream: Iterator[RoundView] = self._stream
        return stream

    def _put(self, view: RoundView) -> None:
        with self._changed:
            newest = self._newest
            # A node that was restarted may be behind what it showed before: what is older is of no use.
            if newest is not None and view.at_block <= newest.at_block:
                return
            self._newest = view
            self._taken = False
            self._changed.notify_all()

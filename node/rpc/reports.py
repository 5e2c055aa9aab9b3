"""What the node's worker reported: the state it is in, and the last report of each recent round."""

from __future__ import annotations

import threading

from pocl.v1.worker_service_pb2 import WorkerReport

STATES = ("off", "starting", "idle", "training", "predicting", "auditing", "aggregating", "failed")
"""What NodeInfo.worker may say."""

MAX_ROUNDS = 1024
"""Rounds whose reports are kept, in memory alone: they are measures, not part of the chain."""


class WorkerReports:
    """The last report of each of the last `MAX_ROUNDS` rounds. Any thread may use it.

    A report replaces what it says of its round: measures it leaves out keep their last values, so that a
    worker that is restarted within a round does not erase what was measured before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = "off"
        self._rounds: dict[int, WorkerReport] = {}
        self._last_error = ""

    @property
    def state(self) -> str:
        """What the worker is doing (one of `STATES`)."""
        with self._lock:
            return self._state

    @property
    def last_error(self) -> str:
        """What went wrong last with the worker, also when it is over; "" for nothing so far."""
        with self._lock:
            return self._last_error

    def note_error(self, error: str) -> None:
        """Note what went wrong, when it is not the worker itself that says so."""
        with self._lock:
            self._last_error = error

    def set_state(self, state: str) -> None:
        """Note what the worker's process is doing, when it is not the worker itself that says so."""
        if state not in STATES:
            raise ValueError(f"worker state {state!r} is none of {', '.join(STATES)}")
        with self._lock:
            self._state = state

    def add(self, report: WorkerReport) -> None:
        """Keep a report. Raise ValueError when its state is not one of `STATES`."""
        self.set_state(report.state)
        with self._lock:
            known = self._rounds.pop(report.round, None) or WorkerReport(round=report.round)
            known.MergeFrom(report)
            # An error is over when the next report does not repeat it.
            known.error = report.error
            self._last_error = report.error or self._last_error
            self._rounds[report.round] = known
            while len(self._rounds) > MAX_ROUNDS:
                del self._rounds[min(self._rounds)]

    def list(self, from_round: int = 0) -> list[WorkerReport]:
        """Return copies of the reports of the rounds from `from_round` on, oldest first."""
        with self._lock:
            found = []
            for number in sorted(self._rounds):
                if number >= from_round:
                    copy = WorkerReport()
                    copy.CopyFrom(self._rounds[number])
                    found.append(copy)
            return found

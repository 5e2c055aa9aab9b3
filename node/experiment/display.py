"""How a running experiment looks: a bar with the time that is left on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Display(Protocol):
    """Shows how far an experiment is."""

    def begin(self, rounds: int, done: int, cells: int) -> None:
        """There are so many rounds, some of which an earlier run did; so many cells are missing."""

    def round_ended(self) -> None:
        """A round of some cell has ended. From any thread."""

    def cell_done(self, label: str, seed: int, summary: Mapping[str, Any]) -> None:
        """A cell with a seed is done and kept."""

    def end(self) -> None:
        """Nothing more will come."""


def make_display(console: Console) -> Display:
    """Return the display that fits the console."""
    return BarDisplay(console) if console.is_terminal else LineDisplay(console)


def cell_line(label: str, seed: int, summary: Mapping[str, Any]) -> str:
    """Return what a finished cell came to, in a line."""
    accuracy = summary["final_accuracy"]
    shown = "not measured" if accuracy is None else f"{accuracy:.3f}"
    void = f", {summary['void']} void" if summary["void"] else ""
    return f"{label + ', ' if label else ''}seed {seed}: accuracy {shown}, {summary['settled']} rounds{void}"


class LineDisplay:
    """One line for each finished cell."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._left = 0
        self._ended = 0
        self._cells = (0, 0)

    def begin(self, rounds: int, done: int, cells: int) -> None:
        """Say what there is to do."""
        self._started, self._left, self._cells = time.monotonic(), rounds - done, (0, cells)
        if done:
            self._say(f"{done} of {rounds} rounds were done before")

    def round_ended(self) -> None:
        """Count."""
        self._ended += 1

    def cell_done(self, label: str, seed: int, summary: Mapping[str, Any]) -> None:
        """Print the cell's line, with the time that is left at the pace so far."""
        done, cells = self._cells[0] + 1, self._cells[1]
        self._cells = done, cells
        spent = time.monotonic() - self._started
        left = spent / max(1, self._ended) * max(0, self._left - self._ended)
        self._say(f"{done}/{cells} {cell_line(label, seed, summary)}; about {left:.0f} s left")

    def end(self) -> None:
        """There is nothing to clear away."""

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)


class BarDisplay:
    """A bar of rounds, and above it the last cells that are done."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} rounds"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("experiment", total=None)

    def begin(self, rounds: int, done: int, cells: int) -> None:
        """Show the bar."""
        self._progress.update(self._task, total=rounds, completed=done)
        self._progress.start()

    def round_ended(self) -> None:
        """Move the bar on."""
        self._progress.advance(self._task)

    def cell_done(self, label: str, seed: int, summary: Mapping[str, Any]) -> None:
        """Print the cell's line above the bar."""
        self._progress.console.print(
            cell_line(label, seed, summary), highlight=False, soft_wrap=True, markup=False
        )

    def end(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()

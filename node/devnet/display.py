"""How a devnet looks on a terminal: a live table, or a line a change where there is no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from node.devnet.observer import Observation, delivered, is_void
from node.devnet.summary import percentile
from pocl.v1.round_pb2 import Phase
from pocl.v1.rounds_service_pb2 import RoundView


class Display(Protocol):
    """Shows an observation whenever it changed."""

    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def say(self, text: str) -> None:
        """Show what the devnet is doing."""

    def show(self, seen: Observation) -> None:
        """Show the network's present state."""


def make_display(console: Console, names: Mapping[bytes, str], rounds: int) -> Display:
    """Return the display that fits: live on a terminal, lines elsewhere."""
    return LiveDisplay(console, names, rounds) if console.is_terminal else LineDisplay(console, names)


class LineDisplay:
    """One line for each change of phase and each ended round."""

    def __init__(self, console: Console, names: Mapping[bytes, str]) -> None:
        self._console = console
        self._names = names
        self._phase = (0, 0)
        self._told: set[int] = set()

    def __enter__(self) -> LineDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, seen: Observation) -> None:
        """Print what changed since the last call."""
        for number in sorted(seen.ended.keys() - self._told):
            # A settled round is told of once its model was measured; a void one has none.
            if is_void(seen.ended[number]) or seen.accuracy(number) is not None:
                self._told.add(number)
                self.say(_ended_line(seen, number, self._names))
        phase = (seen.current.round, seen.current.state.phase)
        if phase != self._phase:
            self._phase = phase
            self.say(f"block {seen.scanned}: round {phase[0]} {phase_name(seen.current)}")


class LiveDisplay:
    """Two tables, drawn again in place: the rounds, and the nodes."""

    def __init__(self, console: Console, names: Mapping[bytes, str], rounds: int) -> None:
        self._names = names
        self._rounds = rounds
        self._text = ""
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> LiveDisplay:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Show a text until the chain has something to show."""
        self._live.update(Text(text), refresh=True)

    def show(self, seen: Observation) -> None:
        """Draw both tables."""
        self._live.update(tables(seen, self._names, self._rounds), refresh=True)


def tables(seen: Observation, names: Mapping[bytes, str], rounds: int) -> RenderableType:
    """Return the tables of the rounds so far and of the nodes."""
    table = Table(expand=False)
    for column in ("round", "phase", "delivered", "accuracy", "winners", "duration", "training"):
        table.add_column(
            column, justify="right" if column in ("round", "accuracy", "duration", "training") else "left"
        )
    for number in sorted(seen.ended):
        if number > rounds:
            continue
        view, accuracy = seen.ended[number], seen.accuracy(number)
        summary = view.summary
        table.add_row(
            str(number),
            f"void: {summary.void_reason}" if is_void(view) else "settled",
            f"{sum(miner.HasField('proposal') for miner in view.miners)}/{len(view.miners)}",
            "" if accuracy is None else f"{accuracy:.3f}",
            _names(summary.winners, names),
            f"{(summary.ended_ms - summary.started_ms) / 1000:.1f} s",
            f"{seen.train_ms(number) / 1000:.1f} s",
        )
    current = seen.current
    if current.round and current.round <= rounds and current.round not in seen.ended:
        done = [names.get(miner.miner, "?") for miner in delivered(current)]
        table.add_row(
            str(current.round),
            phase_name(current),
            f"{len(done)}/{len(current.miners)} {' '.join(done)}",
            "",
            "",
            "",
            "",
        )
    return Group(table, _nodes_table(seen), Text(_status(seen)))


def _status(seen: Observation) -> str:
    finality = seen.finality_ms()
    p50, p99 = percentile(finality, 50), percentile(finality, 99)
    speed = f", finality p50 {p50} ms, p99 {p99} ms" if p50 is not None else ""
    transfers = (
        f"{len(seen.included)} of {len(seen.submitted)} transfers included, {seen.settled_count} settled"
    )
    return f"final block {seen.scanned}{speed}; {transfers}"


def _nodes_table(seen: Observation) -> Table:
    table = Table(expand=False)
    for column in ("node", "final", "best", "peers", "worker", "metrics"):
        table.add_column(column, justify="right" if column in ("final", "best", "peers") else "left")
    for name, info in seen.infos.items():
        table.add_row(
            name,
            str(info.final_number),
            str(info.best_number),
            str(info.peers),
            info.worker,
            seen.metrics.get(name, ""),
        )
    return table


def phase_name(view: RoundView) -> str:
    """Return the name of a round's phase."""
    phase = view.state.phase
    return "between rounds" if phase == Phase.PHASE_NONE else Phase.Name(phase)


def _ended_line(seen: Observation, number: int, names: Mapping[bytes, str]) -> str:
    summary = seen.ended[number].summary
    if is_void(seen.ended[number]):
        return f"round {number} void: {summary.void_reason}"
    seconds = (summary.ended_ms - summary.started_ms) / 1000
    return (
        f"round {number} settled: accuracy {seen.accuracy(number):.3f}, "
        f"winners {_names(summary.winners, names)}, "
        f"{seconds:.1f} s, training {seen.train_ms(number) / 1000:.1f} s"
    )


def _names(accounts: object, names: Mapping[bytes, str]) -> str:
    return " ".join(names.get(bytes(account), "?") for account in accounts)  # type: ignore[attr-defined]

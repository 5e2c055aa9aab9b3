"""Heat maps of an experiment with several varied fields: the first one down, the second across, a figure for each
combination of the others. All figures of one experiment have the same colours for the same numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from node.experiment.measures import NONE, Run, accuracy_percent, attackers, income_percent, places_percent
from node.experiment.plan import label_of, value_label

_COLUMN, _ROW = 0.62, 0.3
"""Inches of a cell."""
_LETTER = 0.075
"""Inches of a letter of the labels."""

Cells = Sequence[Sequence[Run]]


@dataclass(frozen=True)
class _Panel:
    title: str
    value: Callable[[Sequence[Run]], float]
    digits: int
    colours: str
    low: float
    high: float


def heat_maps(title: str, varied: Sequence[str], cells: Cells) -> Iterator[tuple[str, Figure]]:
    """Yield each figure with its name: matrix, or matrix-VALUES of the other varied fields."""
    panels = _panels(cells)
    others: dict[str, list[Sequence[Run]]] = {}
    for runs in cells:
        rest = {name: runs[0]["values"][name] for name in varied[2:]}
        others.setdefault(label_of(rest), []).append(runs)
    for label, shown in others.items():
        values = "-".join(re.sub(r"[^a-z0-9]+", "-", part.partition("=")[2]) for part in label.split(", "))
        yield (
            f"matrix-{values.strip('-')}" if label else "matrix",
            _figure(f"{title}, {label}" if label else title, varied[0], varied[1], shown, panels),
        )


def _panels(cells: Cells) -> list[_Panel]:
    accuracies = [value for value in map(accuracy_percent, cells) if not math.isnan(value)]
    low, high = (min(accuracies), max(accuracies)) if accuracies else (0.0, 100.0)
    panels = [_Panel("final accuracy (%)", accuracy_percent, 1, "viridis", low, high)]
    for group in attackers(cells):
        places, income = partial(places_percent, group=group), partial(income_percent, group=group)
        panels.append(_Panel(f"places won by one of the {group}, in 100 rounds", places, 0, "magma", 0, 100))
        # What is fair is white; beyond twice that one colour stands for all.
        panels.append(
            _Panel(f"income of one of the {group} (an honest miner's: 100)", income, 0, "RdBu_r", 0, 200)
        )
    return panels


def _figure(title: str, down: str, across: str, cells: Cells, panels: Sequence[_Panel]) -> Figure:
    placed = {(_label(runs, down), _label(runs, across)): runs for runs in cells}
    rows, columns = (list(dict.fromkeys(place[axis] for place in placed)) for axis in (0, 1))
    width = len(panels) * max(3.0, 1.1 + _COLUMN * len(columns)) + _LETTER * max(map(len, rows))
    height = 1.8 + _ROW * len(rows) + _LETTER * max(map(len, columns))
    figure = Figure(figsize=(max(5.0, width), height), layout="constrained")
    figure.suptitle(title)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        values = [
            [panel.value(placed[row, column]) if (row, column) in placed else NONE for column in columns]
            for row in rows
        ]
        _draw(axes, panel, values)
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize="small")
        axes.set_yticks(range(len(rows)), rows if panel is panels[0] else [""] * len(rows), fontsize="small")
        axes.set_xlabel(across, fontsize="small")
        axes.set_ylabel(down, fontsize="small")
    return figure


def _draw(axes: Axes, panel: _Panel, values: Sequence[Sequence[float]]) -> None:
    image = axes.imshow(values, aspect="auto", cmap=panel.colours, vmin=panel.low, vmax=panel.high)
    for y, line in enumerate(values):
        for x, number in enumerate(line):
            text = "" if math.isnan(number) else f"{number:.{panel.digits}f}"
            axes.text(x, y, text, ha="center", va="center", fontsize="x-small", color=_ink(image, number))
    axes.set_title(panel.title, fontsize="small")


def _ink(image: Any, value: float) -> str:
    """Return the colour of a number that can be read on its field."""
    red, green, blue, _ = image.cmap(image.norm(value))
    return "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "white"


def _label(runs: Sequence[Run], field: str) -> str:
    return value_label(runs[0]["values"][field])

"""The figures of an experiment's results, drawn with matplotlib on no screen.

    accuracy.png             accuracy of the global model after each round, a line a cell
    NAME-curves.png          each miner's accuracy in training, on its validation part, on the others' records
    NAME-share-wins.png      share of the data against wins
    NAME-rewards.png         what each miner earned
    NAME-phases.png          time of each round, by phase
    NAME-participation.png   who delivered in which round, and who won
    grid.png                 one varied field: final accuracy, and wins of groups or else duration of rounds; with
                             many values also what attackers earned
    matrix.png               two: accuracy, and what attackers won and earned, as heat maps (heat_maps.py)
    matrix-VALUES.png        more: the same for each combination of the third and further fields

NAME is `miners` in an experiment of one cell, else the cell's number; beyond MOST_CELLS cells only the figures of
the whole experiment are drawn. Curves, phases and participation are those of the first seed, the others of all.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node.experiment.heat_maps import heat_maps
from node.experiment.measures import (
    Run,
    attackers,
    final_accuracies,
    income_percent,
    places_percent,
    round_seconds,
)  # fmt: skip
from node.experiment.plan import HONEST_GROUP, value_label
from node.experiment.results import DELIVERIES
from node.experiment.tables import by_cell

MOST_CELLS = 12
_LEGEND_CELLS = 16


def draw(results: Mapping[str, Any], out: Path) -> Iterator[Path]:
    """Draw everything into a folder and yield the files."""
    for name, figure in figures(results):
        file = out / f"{name}.png"
        _save(figure, file)
        yield file


def _save(figure: Figure, file: Path) -> None:
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png", dpi=110)


def draw_comparison(experiments: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Draw the accuracy of several experiments, by name, into one file."""
    lines = []
    for name, results in experiments.items():
        for runs in by_cell(results).values():
            label = runs[0]["label"]
            lines.append((f"{name}: {label}" if label else name, runs))
    _save(accuracy_figure("accuracy", lines), file)


def figures(results: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Yield each figure with its name."""
    cells = by_cell(results)
    title = results["experiment"] + (" (simulated)" if results["mode"] == "simulate" else "")
    yield "accuracy", accuracy_figure(title, [(runs[0]["label"], runs) for runs in cells.values()])
    if len(cells) <= MOST_CELLS:
        for index, runs in cells.items():
            name = "miners" if len(cells) == 1 else f"cell-{index:02d}"
            shown = f"{title}\n{runs[0]['label']}" if runs[0]["label"] else title
            yield f"{name}-curves", _curves(shown, runs[0])
            yield f"{name}-share-wins", _share_wins(shown, runs)
            yield f"{name}-rewards", _rewards(shown, runs)
            yield f"{name}-phases", _phases(shown, runs[0])
            yield f"{name}-participation", _participation(shown, runs[0])
    varied = results["varied"]
    if len(varied) == 1 and len(cells) > 1:
        draw_grid = _line_grid if len(cells) <= MOST_CELLS else _list_grid
        yield "grid", draw_grid(title, varied[0], list(cells.values()))
    elif len(varied) > 1:
        yield from heat_maps(title, varied, list(cells.values()))


def accuracy_figure(title: str, lines: Sequence[tuple[str, Sequence[Run]]]) -> Figure:
    """Return accuracy after each round: for every line its runs' mean, and the range between them."""
    figure, axes = _figure(title, 7.5, 4.5)
    colours = matplotlib.colormaps["turbo"]
    for place, (label, runs) in enumerate(lines):
        colour = f"C{place}" if len(lines) <= 10 else colours(place / (len(lines) - 1))
        rounds, means, lows, highs = _accuracies(runs)
        axes.plot(rounds, means, marker="o", markersize=3, color=colour, label=label or "all miners")
        axes.fill_between(rounds, lows, highs, color=colour, alpha=0.15, linewidth=0)
    _rounds_axis(axes, [run for _, runs in lines for run in runs])
    axes.set_ylabel("accuracy of the global model on the test part")
    axes.grid(alpha=0.3)
    if 1 < len(lines) <= _LEGEND_CELLS:
        axes.legend(fontsize="small")
    return figure


def _accuracies(runs: Sequence[Run]) -> tuple[list[int], list[float], list[float], list[float]]:
    found: dict[int, list[float]] = {}
    for run in runs:
        for entry in run["rounds"]:
            if entry["accuracy"] is not None:
                found.setdefault(entry["round"], []).append(entry["accuracy"])
    rounds = sorted(found)
    values = [found[number] for number in rounds]
    return rounds, [statistics.fmean(v) for v in values], [min(v) for v in values], [max(v) for v in values]


def _curves(title: str, run: Run) -> Figure:
    figure = Figure(figsize=(14, 4.8), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, 3, sharey=True)
    names = {
        "training": "accuracy in training",
        "validation": "accuracy on the own validation part",
        "score": "accuracy on the others' records",
    }
    for axes, (measure, label) in zip(panels, names.items(), strict=True):
        for miner in run["miners"]:
            points = [(entry["round"], entry["miners"][miner["miner"]][measure]) for entry in run["rounds"]]
            shown = [(number, value) for number, value in points if value is not None]
            axes.plot(
                [number for number, _ in shown],
                [value for _, value in shown],
                color=_colour(run, miner["miner"]),
                marker="o",
                markersize=3,
                linestyle="-" if miner["group"] == HONEST_GROUP else "--",
                label=_miner_label(miner),
            )
        _rounds_axis(axes, [run])
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    if len(run["miners"]) <= 20:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    return figure


def _share_wins(title: str, runs: Sequence[Run]) -> Figure:
    figure, axes = _figure(title, 6.5, 4.5)
    for group in dict.fromkeys(miner["group"] for miner in runs[0]["miners"]):
        members = [miner["miner"] for miner in runs[0]["miners"] if miner["group"] == group]
        shares = [100 * _mean(runs, number, "share") for number in members]
        wins = [_mean(runs, number, "wins") for number in members]
        axes.scatter(shares, wins, label=group, alpha=0.8)
        for number, share, won in zip(members, shares, wins, strict=True):
            if len(runs[0]["miners"]) <= 20:
                axes.annotate(
                    str(number), (share, won), textcoords="offset points", xytext=(4, 3), fontsize="x-small"
                )
    axes.set_xlabel("share of the samples trained on (%)")
    axes.set_ylabel(f"rounds won of {len(runs[0]['rounds'])} (mean over seeds)")
    axes.set_ylim(bottom=-0.5)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _rewards(title: str, runs: Sequence[Run]) -> Figure:
    figure, axes = _figure(title, 7.5, 4.2)
    total = statistics.fmean(sum(int(miner["income"]) for miner in run["miners"]) for run in runs)
    groups = list(dict.fromkeys(miner["group"] for miner in runs[0]["miners"]))
    for place, group in enumerate(groups):
        members = [miner["miner"] for miner in runs[0]["miners"] if miner["group"] == group]
        parts = [100 * _mean(runs, number, "income") / total if total else 0.0 for number in members]
        axes.bar(members, parts, color=f"C{place}", label=group)
    axes.set_xlabel("miner")
    axes.set_ylabel("part of all rewards (%, mean over seeds)")
    if len(runs[0]["miners"]) <= 20:
        axes.set_xticks([miner["miner"] for miner in runs[0]["miners"]])
    axes.legend(fontsize="small")
    return figure


def _phases(title: str, run: Run) -> Figure:
    figure, axes = _figure(title, 7.5, 4.2)
    rounds = [entry["round"] for entry in run["rounds"]]
    bottom = [0.0] * len(rounds)
    for phase in dict.fromkeys(name for entry in run["rounds"] for name in entry["phases_ms"]):
        spent = [entry["phases_ms"].get(phase, 0) / 1000 for entry in run["rounds"]]
        axes.bar(rounds, spent, bottom=bottom, label=phase)
        bottom = [low + high for low, high in zip(bottom, spent, strict=True)]
    _rounds_axis(axes, [run])
    axes.set_ylabel("duration by the chain's time (s)")
    axes.legend(fontsize="small")
    return figure


def _participation(title: str, run: Run) -> Figure:
    miners, rounds = len(run["miners"]), run["rounds"]
    figure, axes = _figure(title, max(5.0, 2 + 0.3 * len(rounds)), max(3.5, 1.5 + 0.22 * miners))
    counts = [[len(entry["miners"][index]["delivered"]) for entry in rounds] for index in range(miners)]
    extent = (0.5, len(rounds) + 0.5, miners - 0.5, -0.5)
    image = axes.imshow(counts, aspect="auto", cmap="Blues", vmin=0, vmax=len(DELIVERIES), extent=extent)
    wins = [(entry["round"], winner) for entry in rounds for winner in entry["winners"]]
    axes.scatter(
        [number for number, _ in wins], [winner for _, winner in wins], marker="*", color="orange", s=18
    )
    axes.set_xlabel("round (a star: won it)")
    axes.set_ylabel("miner")
    axes.set_xticks(_ticks(len(rounds)))
    figure.colorbar(image, ax=axes, label=f"calls delivered of {len(DELIVERIES)}")
    return figure


def _line_grid(title: str, field: str, cells: Sequence[Sequence[Run]]) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    labels = [value_label(runs[0]["values"][field]) for runs in cells]
    measured = [final_accuracies(runs) for runs in cells]
    left.errorbar(
        labels,
        [statistics.fmean(values) if values else float("nan") for values in measured],
        yerr=[statistics.pstdev(values) if values else 0.0 for values in measured],
        marker="o",
        capsize=3,
    )
    left.set_ylabel("final accuracy (mean and deviation over seeds)")
    groups = sorted({name for runs in cells for name in runs[0]["summary"]["groups"]})
    if len(groups) > 1:
        for group in groups:
            right.plot(labels, [places_percent(runs, group) for runs in cells], marker="o", label=group)
        right.set_ylabel("rounds won by a miner of the group (%)")
        right.legend(fontsize="small")
    else:
        right.plot(labels, [round_seconds(runs) for runs in cells], marker="o")
        right.set_ylabel("duration of a round by the chain's time (s)")
        right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel(field)
        axes.tick_params(axis="x", rotation=30 if max(map(len, labels)) > 6 else 0)
        axes.grid(alpha=0.3)
    return figure


def _list_grid(title: str, field: str, cells: Sequence[Sequence[Run]]) -> Figure:
    """Return a figure of more values than fit below each other's names: a line of dots for each."""
    labels = [value_label(runs[0]["values"][field]) for runs in cells]
    figure = Figure(figsize=(12, 1.6 + 0.24 * len(cells)), layout="constrained")
    figure.suptitle(title)
    attacking = attackers(cells)
    panels = figure.subplots(1, 3 if attacking else 1, sharey=True, squeeze=False)[0]
    measured = [final_accuracies(runs) for runs in cells]
    means = [statistics.fmean(values) if values else float("nan") for values in measured]
    deviations = [statistics.pstdev(values) if values else 0.0 for values in measured]
    panels[0].errorbar(means, labels, xerr=deviations, fmt="o", markersize=4, capsize=3)
    panels[0].set_xlabel("final accuracy (deviation over seeds)")
    for group in attacking:
        panels[1].plot([places_percent(runs, group) for runs in cells], labels, "o", label=group)
        panels[2].plot([income_percent(runs, group) for runs in cells], labels, "o", label=group)
    if attacking:
        panels[1].set_xlabel("rounds won by one of them (%)")
        panels[2].set_xlabel("income of one (an honest miner's: 100)")
        panels[2].axvline(100, color="grey", linewidth=1)
        panels[1].legend(fontsize="small")
    panels[0].set_ylim(len(cells) - 0.5, -0.5)
    for axes in panels:
        axes.set_ylabel(field)
        axes.grid(alpha=0.3)
        axes.tick_params(axis="y", labelsize="small")
    return figure


def _mean(runs: Sequence[Run], miner: int, measure: str) -> float:
    return statistics.fmean(float(run["miners"][miner][measure]) for run in runs)


def _figure(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize="medium")
    return figure, axes


def _rounds_axis(axes: Axes, runs: Sequence[Run]) -> None:
    axes.set_xlabel("round")
    axes.set_xticks(_ticks(max(len(run["rounds"]) for run in runs)))


def _ticks(rounds: int) -> list[int]:
    step = max(1, rounds // 10)
    return list(range(1 if step == 1 else step, rounds + 1, step))


def _colour(run: Run, miner: int) -> Any:
    return matplotlib.colormaps["viridis"](miner / max(1, len(run["miners"]) - 1))


def _miner_label(miner: Mapping[str, Any]) -> str:
    if miner["group"] == HONEST_GROUP:
        return str(miner["miner"])
    return (
        f"{miner['miner']} ({miner['group'] if miner['behaviour'] == HONEST_GROUP else miner['behaviour']})"
    )

"""A whole run: a network, a fault every so often, what must hold, and a table of what happened."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from runtime.quorum import faulty
from tests.faults.harm import FAULTS, Fault
from tests.faults.network import FaultError, FaultNetwork, Validator, until
from tests.faults.transfers import Transfers
from tests.faults.watch import Watch

RESUME_S = 30.0
"""Within it finality must go on, once a quorum that kept its logs is up."""

LEVEL_S = 90.0
"""Within it all nodes must have caught up."""

CLOSE = 5
"""Blocks that a node may be behind and still count as level."""


@dataclass
class Outcome:
    """One fault and what came of it; times in seconds."""

    fault: str
    nodes: list[str]
    at: float
    harmed: float = 0.0
    """From the fault to the moment when everything was started or healed."""
    longest_pause: float = 0.0
    """Without a new final block, until all nodes were level again."""
    resumed: float = 0.0
    """From a quorum with logs being up again to the next final block; 0 when there always was one."""
    level: float = 0.0
    """From healing to all nodes being level."""
    remark: str = ""


@dataclass
class Report:
    """What a run tells."""

    seed: int
    validators: int
    minutes: float
    outcomes: list[Outcome] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    transfers_sent: int = 0
    transfers_final: int = 0
    votes_checked: int = 0
    final_height: int = 0
    all_agree: bool = False

    @property
    def ok(self) -> bool:
        return not self.violations and self.all_agree


class Run:
    """One run. `isolated`: the process is in namespaces of its own (isolation.py), else `why_not` says why not."""

    def __init__(
        self,
        folder: Path,
        *,
        validators: int,
        minutes: float,
        every: float,
        seed: int,
        why_not: str | None,
        only: Sequence[str] | None = None,
    ) -> None:
        names = [fault.name for fault in FAULTS]
        unknown = sorted(set(only or ()) - set(names))
        if unknown:
            raise SystemExit(f"no fault is called {', '.join(unknown)}: there are {', '.join(names)}")
        self._faults = [fault for fault in FAULTS if only is None or fault.name in only]
        self._folder = folder
        self._every = every
        self._rng = random.Random(seed)
        self._isolated = why_not is None
        self._console = Console()
        self._begun = time.monotonic()
        self._deck: list[Fault] = []
        self.report = Report(seed, validators, minutes)
        if why_not is not None:
            self.report.skipped = {fault.name: why_not for fault in self._faults if fault.isolated}
            self._faults = [fault for fault in self._faults if not fault.isolated]
        if not self._faults:
            raise SystemExit(f"nothing is left to do: {why_not}")

    def run(self) -> Report:
        """Run, check, and return the report."""
        report = self.report
        with FaultNetwork(self._folder, report.validators, isolated=self._isolated) as network:
            watch = Watch(network)
            transfers = Transfers(network, report.seed)
            network.start(*network.nodes)
            watch.start()
            transfers.start()
            try:
                until(lambda: min(network.heights(), default=0) >= 5, "the network makes blocks", 90)
                self._begun = time.monotonic()
                self._harm(network, watch)
                self._level(network, watch, 0)
            except FaultError as error:
                report.violations.append(str(error))
            transfers.stop()
            watch.stop()
            watch.read_logs()
            self._finish(network, watch, transfers)
        return report

    def _harm(self, network: FaultNetwork, watch: Watch) -> None:
        end = self._begun + 60 * self.report.minutes
        following = self._begun
        while time.monotonic() < end:
            time.sleep(max(0.0, following - time.monotonic()))
            following = max(following + self._every, time.monotonic())
            fault, nodes = self._choose(network)
            outcome = Outcome(fault.name, [node.name for node in nodes], time.monotonic() - self._begun)
            self.report.outcomes.append(outcome)
            self._one(network, watch, fault, nodes, outcome)

    def _one(
        self, network: FaultNetwork, watch: Watch, fault: Fault, nodes: list[Validator], outcome: Outcome
    ) -> None:
        begun = time.monotonic()
        try:
            outcome.remark = fault.apply(network, nodes, self._rng)
            healed = time.monotonic()
            outcome.harmed = healed - begun
            until(lambda: len(network.voting()) >= network.quorum, "a quorum with logs is up", 60)
            outcome.resumed = self._resume(network, watch, begun)
            outcome.level = self._level(network, watch, healed)
        except FaultError as error:
            outcome.remark = f"FAILED: {error}"
            raise FaultError(f"{fault.name} at {outcome.at:.0f} s: {error}") from None
        finally:
            outcome.longest_pause = watch.longest_pause(begun, time.monotonic())
            watch.read_logs()
            self._say(outcome)

    def _resume(self, network: FaultNetwork, watch: Watch, begun: float) -> float:
        """Wait for a final block after the quorum came back; return how long after, 0 when it was never away."""
        since = max(begun, network.quorum_since())
        until(lambda: watch.advances[-1] > since, "finality resumes", RESUME_S)
        first = next(moment for moment in watch.advances if moment > since)
        return first - since if since > begun else 0.0

    def _level(self, network: FaultNetwork, watch: Watch, healed: float) -> float:
        def level() -> bool:
            heights = network.heights()
            return len(heights) == len(network.nodes) and max(heights) - min(heights) <= CLOSE

        waited = until(level, "all nodes are level", LEVEL_S)
        return time.monotonic() - healed if healed else waited

    def _choose(self, network: FaultNetwork) -> tuple[Fault, list[Validator]]:
        """Return the next fault of a shuffled deck, and the nodes it is done to."""
        f = faulty(len(network.nodes))
        while True:
            voting = network.voting()
            if not self._deck:
                self._deck = list(self._faults)
                self._rng.shuffle(self._deck)
            fault = self._deck.pop()
            count = {
                "none": 0,
                "one": 1,
                "f": self._rng.randint(1, max(1, f)),
                "many": self._rng.randint(min(f + 1, len(network.nodes)), len(network.nodes)),
                "all": len(network.nodes),
            }[fault.most]
            able = list(network.nodes)
            if fault.loses_log:
                # Those that lose their log, and those that abstain already, are at most f.
                count = min(count, f - (len(network.nodes) - len(voting)))
                able = voting
                if count < 1:
                    time.sleep(0.2)  # If no other kind was asked for, until those that abstain vote again.
                    continue
            return fault, self._rng.sample(able, count)

    def _finish(self, network: FaultNetwork, watch: Watch, transfers: Transfers) -> None:
        report = self.report
        for node, status in zip(network.nodes, network.stop(), strict=True):
            if status != 0:
                report.violations.append(f"{node.name} ended with status {status}: {node.last_line()}")
        try:
            report.final_height = watch.check_databases(transfers.final)
            report.all_agree = not any("fork" in text for text in watch.violations)
        except Exception as error:  # Whatever it is, the report must come out.
            report.violations.append(f"the databases cannot be compared: {error}")
        report.violations += watch.violations + watch.votes.contradictions()
        report.votes_checked = watch.votes.count
        report.transfers_sent, report.transfers_final = transfers.sent, len(transfers.final)

    def _say(self, outcome: Outcome) -> None:
        self._console.print(
            f"{outcome.at:6.0f} s  {outcome.fault} of {', '.join(outcome.nodes) or '-'}: "
            f"resumed {outcome.resumed:.1f} s, level {outcome.level:.1f} s  {outcome.remark}",
            highlight=False,
            soft_wrap=True,
        )


def show(report: Report) -> None:
    """Print the table and what it comes to."""
    table = Table(title=f"{report.validators} validators, {report.minutes:g} min, seed {report.seed}")
    for column in ("fault", "times", "harmed", "longest pause", "resumed", "level"):
        table.add_column(column, justify="left" if column == "fault" else "right")
    for name in dict.fromkeys(outcome.fault for outcome in report.outcomes):
        of_kind = [outcome for outcome in report.outcomes if outcome.fault == name]
        worst = [
            f"{max(getattr(outcome, field) for outcome in of_kind):.1f} s"
            for field in ("harmed", "longest_pause", "resumed", "level")
        ]
        table.add_row(name, str(len(of_kind)), *worst)
    for name, reason in report.skipped.items():
        table.add_row(name, "0", f"skipped: {reason}", "", "", "")
    console = Console()
    console.print(table)
    console.print(
        "Times are the worst of each kind; harmed: until healed; resumed: from a quorum being up again."
    )
    console.print(
        f"final height {report.final_height}, {report.transfers_final} of {report.transfers_sent} transfers "
        f"final, {report.votes_checked} votes checked, nodes agree: {report.all_agree}"
    )
    for violation in report.violations:
        console.print(f"VIOLATION: {violation}", style="bold red", soft_wrap=True)


def as_json(report: Report) -> str:
    """Return the report as JSON."""
    value: dict[str, Any] = asdict(report)
    value["ok"] = report.ok
    return json.dumps(value, indent=2) + "\n"

"""A whole run: a network, a fault every so often, what must hold, and a table of what happened."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pocl.client import ClientError
from pocl.v1.round_pb2 import SETTLED
from tests.faults.harm import FAULTS, kill_worker
from tests.faults.network import FaultError, FaultNetwork, Validator, until
from tests.faults.operators import Operators
from tests.faults.progress import LEVEL_S, Outcome, Progress
from tests.faults.schedule import Schedule
from tests.faults.transfers import Transfers
from tests.faults.watch import Watch
from tests.faults.workers import Miner, learning_spec

ROUND_MS = 5000
"""Four rounds, after which the local chain puts out the silent, are shorter than a pause, longer than most faults."""

FIRST_ROUND_S = 240.0
"""TensorFlow loads once for every worker."""

TICK_S = 0.1


@dataclass
class Report:
    """What a run tells."""

    seed: int
    validators: int
    minutes: float
    at_once: int
    most_at_once: int = 0
    """How many faults were in progress at a time."""
    slowest_resumption: float = 0.0
    """Seconds from a quorum being able again to the next final block; over RESUME_S it is a violation."""
    longest_pause: float = 0.0
    """Seconds without a new final block, whatever the reason."""
    smallest_set: int = 0
    put_out: int = 0
    """How often a validator was put out of the set, and `rejoined` how often one asked back."""
    rejoined: int = 0
    rounds: int = 0
    """How many rounds have ended, and how many of them `settled`: some only with workers."""
    settled: int = 0
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
        at_once: int,
        seed: int,
        why_not: str | None,
        workers: bool = False,
        only: Sequence[str] | None = None,
    ) -> None:
        names = [fault.name for fault in FAULTS]
        unknown = sorted(set(only or ()) - set(names))
        if unknown:
            raise SystemExit(f"no fault is called {', '.join(unknown)}: there are {', '.join(names)}")
        self._faults = [fault for fault in FAULTS if only is None or fault.name in only]
        self._workers = workers
        if workers:
            # One of the network's own, then.
            self._faults = [
                dataclasses.replace(fault, most="one") if fault.apply is kill_worker else fault
                for fault in self._faults
            ]
        self._folder = folder
        self._every = every
        self._rng = random.Random(seed)
        self._isolated = why_not is None
        self._console = Console()
        self._at_once = at_once
        self.report = Report(seed, validators, minutes, at_once)
        if why_not is not None:
            self.report.skipped = {fault.name: why_not for fault in self._faults if fault.isolated}
            self._faults = [fault for fault in self._faults if not fault.isolated]
        if not self._faults:
            raise SystemExit(f"nothing is left to do: {why_not}")

    def run(self) -> Report:
        """Run, check, and return the report."""
        report = self.report
        isolated = self._isolated
        with FaultNetwork(
            self._folder,
            report.validators,
            isolated=isolated,
            round_ms=ROUND_MS,
            spec=learning_spec(report.validators) if self._workers else None,
            validator=Miner if self._workers else Validator,
        ) as network:
            watch = Watch(network)
            progress = Progress(network, watch, self._say)
            report.outcomes = progress.outcomes
            transfers, operators = Transfers(network, report.seed), Operators(network, workers=self._workers)
            network.start(*network.nodes)
            for service in (watch, operators, transfers):
                service.start()
            try:
                until(lambda: min(network.heights(), default=0) >= 5, "the network makes blocks", 90)
                if self._workers:
                    until(lambda: self._count_rounds(network) > 0, "a round settles", FIRST_ROUND_S)
                self._harm(network, progress)
                report.longest_pause = watch.longest_pause(progress.begun, time.monotonic())
                self._come_together(network, progress)
            except FaultError as error:
                report.violations.append(str(error))
            for service in (transfers, operators, watch):
                service.stop()
            watch.read_logs()
            report.rejoined = operators.rejoined
            self._finish(network, watch, transfers)
            progress.close()
        return report

    def _harm(self, network: FaultNetwork, progress: Progress) -> None:
        """Begin faults as they are due, until time is up or one has failed; return when all are over."""
        progress.begun = begun = time.monotonic()
        schedule = Schedule(
            self._faults, every=self._every, at_once=self._at_once, rng=self._rng, begin=begun
        )
        while (now := time.monotonic()) < begun + 60 * self.report.minutes and not progress.failures:
            following = schedule.next(now, progress.going_on(), network.situation())
            if following is not None:
                progress.begin(following, random.Random(self._rng.random()))
            time.sleep(TICK_S)
        progress.wait()
        self.report.violations += progress.failures

    def _come_together(self, network: FaultNetwork, progress: Progress) -> None:
        """Wait until all nodes are level, and all are in the validator set again."""
        network.until(lambda: progress.level(network.nodes), "all nodes are level", LEVEL_S)
        whole = len(network.nodes)
        network.until(lambda: len(network.sets.members) == whole, "all are in the validator set", LEVEL_S)
        settled = self._count_rounds(network)
        if self._workers:
            network.until(
                lambda: self._count_rounds(network) > settled, "a round settles again", FIRST_ROUND_S
            )

    def _count_rounds(self, network: FaultNetwork) -> int:
        """Note how many rounds have ended so far; return how many settled."""
        client = next((node.client for node in network.up() if node.client is not None), None)
        try:
            rounds = [] if client is None else list(client.rounds())
        except (ClientError, ValueError):
            rounds = []
        if len(rounds) >= self.report.rounds:
            self.report.rounds = len(rounds)
            self.report.settled = sum(summary.outcome == SETTLED for summary in rounds)
        return self.report.settled

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
        report.violations += watch.violations + watch.contradictions()
        report.slowest_resumption = max((found.seconds for found in watch.resumptions), default=0.0)
        report.most_at_once = max((outcome.at_once for outcome in report.outcomes), default=0)
        report.smallest_set, report.put_out = network.sets.smallest, network.sets.removals()
        report.votes_checked = watch.votes.count
        report.transfers_sent, report.transfers_final = transfers.sent, len(transfers.final)

    def _say(self, outcome: Outcome) -> None:
        self._console.print(
            f"{outcome.at:6.0f} s  [{outcome.at_once}] {outcome.fault} of {', '.join(outcome.nodes) or '-'}: "
            f"resumed {outcome.resumed:.1f} s, level {outcome.level:.1f} s  {outcome.remark}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def show(report: Report) -> None:
    """Print the table and what it comes to."""
    table = Table(
        title=f"{report.validators} validators, {report.minutes:g} min, "
        f"{report.at_once} faults at once, seed {report.seed}"
    )
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
        "Times are the worst of each kind; harmed: until healed; resumed: from a quorum being able again."
    )
    console.print(
        f"at most {report.most_at_once} faults at once; longest pause {report.longest_pause:.1f} s, slowest "
        f"resumption {report.slowest_resumption:.1f} s; put out of the set {report.put_out} times, smallest "
        f"set {report.smallest_set}; {report.settled} of {report.rounds} rounds settled"
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

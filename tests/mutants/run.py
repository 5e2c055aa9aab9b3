"""Running the tests on a tree with a fault in it.

Every mutant gets a copy of the tree of its own, of the files that git knows or would add, below a temporary folder; the
working tree is never touched. Only the tests that the mutant names are run, stopped at the first failure. The
same tests are run on an unchanged copy first: they must pass there, and how long that takes gives each mutant's
time limit. A run that passes its limit hangs, which a person would notice too: it counts as caught.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.mutants.mutant import Mutant, MutantError

ROOT = Path(__file__).parents[2]

LEAST_LIMIT_S = 60.0
LIMIT_FACTOR = 10
"""A mutant may take so many times as long as its tests take without it, and at least LEAST_LIMIT_S."""

BASELINE_LIMIT_S = 600.0

_running: set[int] = set()
"""Process groups of tests under way."""

_stopped = threading.Event()
"""No more tests are to be started."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - (.*))?$", re.MULTILINE)
_PASSED, _TESTS_FAILED = 0, 1


class Outcome(Enum):
    """What became of a mutant."""

    CAUGHT = "caught"
    TIMEOUT = "timeout"
    ALIVE = "ALIVE"
    BROKEN = "BROKEN"
    """The tests could not be run with it: it shows nothing, and must be repaired."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the tests ended on one tree."""

    outcome: Outcome
    test: str
    """The test that failed; empty when none did."""
    reason: str
    """What it said, or why the mutant is broken."""
    seconds: float

    @property
    def good(self) -> bool:
        """Whether the fault was noticed."""
        return self.outcome in (Outcome.CAUGHT, Outcome.TIMEOUT)


def judge(status: int, output: str, seconds: float) -> Result:
    """Return what pytest's exit status and output say of a mutant."""
    if status == _PASSED:
        return Result(Outcome.ALIVE, "", "", seconds)
    # Behind this line only: what tests log can look the same.
    found = _FAILED.search(output.rpartition("short test summary info")[2])
    # A file that cannot be imported has no test that failed: the mutant is no program.
    if status == _TESTS_FAILED and found is not None and "::" in found[1]:
        return Result(Outcome.CAUGHT, found[1].removeprefix("tests/"), found[2] or "", seconds)
    lines = output.strip().splitlines()
    return Result(Outcome.BROKEN, "", lines[-1] if lines else f"pytest ended with {status}", seconds)


def tree_files(root: Path) -> list[str]:
    """Return the files of the working tree that git tracks, or would when they are added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [file for file in listed.split("\0") if file and (root / file).is_file()]


def copy_tree(root: Path, files: Iterable[str], to: Path) -> None:
    """Copy these files into a new folder."""
    for file in files:
        target = to / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target)


def run_tests(tree: Path, tests: Sequence[str], limit_s: float) -> Result:
    """Run test files in a tree until the first failure, for at most `limit_s` seconds."""
    plugins = ["-p", "no:cacheprovider", "-p", "tests.mutants.without_shrinking"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", *plugins, *tests]
    # A copy is used once. No bytecode, so that none can be older than the fault; no colours in what is parsed.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PY_COLORS": "0", "COLUMNS": "300"}
    if _stopped.is_set():
        raise InterruptedError
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _running.add(process.pid)
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return Result(Outcome.TIMEOUT, "", f"no end within {limit_s:.0f} s", time.monotonic() - began)
    finally:
        _running.discard(process.pid)
        # With all that the tests started; nothing is left of the group when it ended by itself.
        _kill(process.pid)
        process.wait()
    return judge(process.returncode, output, time.monotonic() - began)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@contextmanager
def _workers(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads to run tests in; whatever ends this early, Ctrl-C above all, ends the tests too."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        _stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for group in list(_running):
            _kill(group)
        raise
    finally:
        pool.shutdown()


def run_mutant(mutant: Mutant, root: Path, files: Sequence[str], limit_s: float) -> Result:
    """Run a mutant's tests on a copy of the tree with its fault."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        copy_tree(root, files, tree)
        try:
            mutant.plant(tree)
        except MutantError as error:
            return Result(Outcome.BROKEN, "", str(error), 0.0)
        return run_tests(tree, mutant.tests, limit_s)


def run_unchanged(root: Path, files: Sequence[str], tests: Iterable[str], jobs: int) -> dict[str, Result]:
    """Run each test file on an unchanged copy. All of them must be `ALIVE`, or nothing that follows means anything."""
    with tempfile.TemporaryDirectory(prefix="mutant-none-") as folder, _workers(jobs) as pool:
        copy_tree(root, files, Path(folder))
        runs = {test: pool.submit(run_tests, Path(folder), [test], BASELINE_LIMIT_S) for test in set(tests)}
        return {test: run.result() for test, run in runs.items()}


def run_all(
    mutants: Sequence[Mutant],
    unchanged: dict[str, Result],
    files: Sequence[str],
    jobs: int,
    tell: Callable[[Mutant, Result], None],
    root: Path = ROOT,
) -> dict[str, Result]:
    """Run mutants in parallel, telling of each when it is done; return their results by name."""
    results = {}
    with _workers(jobs) as pool:
        runs = {}
        for mutant in mutants:
            usual_s = sum(unchanged[test].seconds for test in mutant.tests)
            limit_s = max(LEAST_LIMIT_S, LIMIT_FACTOR * usual_s)
            runs[pool.submit(run_mutant, mutant, root, files, limit_s)] = mutant
        for run in as_completed(runs):
            mutant = runs[run]
            results[mutant.name] = run.result()
            tell(mutant, results[mutant.name])
    return results

"""python -m tests.mutants [NAME ...]: plant the named faults, or all, and show which test caught each.

The exit status is 1 when a mutant is alive or broken, and 2 when tests fail on the unchanged tree already.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.run import ROOT, Outcome, Result, run_all, run_unchanged, tree_files


def table(mutants: Sequence[Mutant], results: Mapping[str, Result]) -> str:
    """Return the results as text: fault, file, what it came to and by which test, seconds."""
    rows = [("fault", "file", "caught by", "s")]
    for mutant in mutants:
        result = results[mutant.name]
        by = (
            result.test
            if result.outcome is Outcome.CAUGHT
            else f"{result.outcome.value}  {result.reason[:80]}"
        )
        rows.append((mutant.name, mutant.file, by.rstrip(), f"{result.seconds:.1f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    rows.insert(1, (*("-" * width for width in widths), "-----"))
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), f"{row[3]:>5}"])
        for row in rows
    )


def chosen(patterns: Sequence[str]) -> list[Mutant]:
    """Return the mutants whose names match one of the patterns, all when there is none. Raise SystemExit."""
    for pattern in patterns:
        if not any(fnmatchcase(mutant.name, pattern) for mutant in MUTANTS):
            raise SystemExit(f"{pattern}: no such mutant; --list shows their names")
    return [m for m in MUTANTS if not patterns or any(fnmatchcase(m.name, pattern) for pattern in patterns)]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names or patterns such as 'light-*'")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (one a core)"
    )
    parser.add_argument("--list", action="store_true", help="show names and reasons; run nothing")
    parser.add_argument("--reasons", action="store_true", help="show too what the failing tests said")
    arguments = parser.parse_args()
    mutants = chosen(arguments.names)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.name:34} {mutant.file}: {mutant.why}")
        return 0

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    files = tree_files(ROOT)
    tests = {test for mutant in mutants for test in mutant.tests}
    print(f"{len(tests)} test files on the unchanged tree ...", flush=True)
    unchanged = run_unchanged(ROOT, files, tests, arguments.jobs)
    if wrong := {test: result for test, result in unchanged.items() if result.outcome is not Outcome.ALIVE}:
        for test, result in wrong.items():
            print(f"{test}: fails without any fault: {result.test} {result.reason}")
        return 2

    done = 0

    def tell(mutant: Mutant, result: Result) -> None:
        nonlocal done
        done += 1
        told = f"[{done}/{len(mutants)}] {result.outcome.value:7} {mutant.name:34} {result.test}"
        print(told.rstrip() + (f"\n        {result.reason}" if arguments.reasons else ""), flush=True)

    results = run_all(mutants, unchanged, files, arguments.jobs, tell)
    print("\n" + table(mutants, results))
    bad = [name for name, result in results.items() if not result.good]
    print(f"\n{len(results)} mutants, {len(results) - len(bad)} caught, in {time.monotonic() - began:.0f} s")
    if bad:
        print("not caught: " + ", ".join(sorted(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")

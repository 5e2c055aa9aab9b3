"""Fuzz every decoder for a while, and print how many examples each had: `make fuzz MINUTES=5`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.running import run_target
from tests.fuzz.targets import World

BATCH = 100
"""Examples between two looks at the clock."""


def main() -> int:
    """Run all targets in turn until the time is up; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--target", help="only targets whose name contains this")
    given = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory(prefix="pocl-fuzz-") as folder, World(Path(folder)) as world:
        targets = [target for target in world.targets() if (given.target or "") in target.name]
        share = given.minutes * 60 / len(targets)
        for target in targets:
            until, count = time.monotonic() + share, 0
            try:
                while time.monotonic() < until:
                    count += run_target(target, BATCH, always_the_same=False)
            except Exception:
                failed.append(target.name)
                traceback.print_exc()
            print(f"{count:9}  {target.name}{'  FAILED' if target.name in failed else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

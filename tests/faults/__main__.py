"""python -m tests.faults: see tests/faults/__init__.py."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.faults import isolation


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults of real processes.")
    parser.add_argument("--validators", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument(
        "--every", type=float, default=15, help="seconds between the beginnings of two faults"
    )
    parser.add_argument("--at-once", type=int, default=1, help="faults in progress at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="of the nodes' logs; kept (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="where to write the report")
    parser.add_argument("--only", help="kinds of faults, with commas between (default: all)")
    parser.add_argument("--workers", action="store_true", help="nodes with workers, so that rounds settle")
    options = parser.parse_args()
    # Before anything starts a thread: a thread would stay in the old namespaces.
    why_not = isolation.missing() or isolation.enter()
    from tests.faults.run import Run, as_json, show

    with tempfile.TemporaryDirectory(prefix="pocl-faults-") as temporary:
        run = Run(
            options.folder or Path(temporary),
            validators=options.validators,
            minutes=options.minutes,
            every=options.every,
            at_once=options.at_once,
            seed=options.seed,
            why_not=why_not,
            workers=options.workers,
            only=options.only.split(",") if options.only else None,
        )
        report = run.run()
    show(report)
    if options.json is not None:
        options.json.write_text(as_json(report), encoding="utf-8")
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Running a target: a number of examples, each within a time and a growth of memory."""

from __future__ import annotations

import resource
import time

from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.targets import Target

MAX_EXAMPLE_S = 2.0
"""Of processor time: a bound on one example that only something quadratic, or a bomb, comes near."""

MAX_GROWTH_KIB = 64 * 1024


def run_target(target: Target, examples: int, *, always_the_same: bool) -> int:
    """Run a target; return how many examples it had. An example that fails is made small and raised."""
    count = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=always_the_same,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(target.examples)
    def run(example: object) -> None:
        nonlocal count
        count += 1
        started, before = time.process_time(), _peak_kib()
        target.check(example)
        took, grown = time.process_time() - started, _peak_kib() - before
        assert took < MAX_EXAMPLE_S, f"{took:.1f} s for one example"
        assert grown < MAX_GROWTH_KIB, f"{grown // 1024} MiB for one example"

    run()
    return count


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

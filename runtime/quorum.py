"""How many of n validators may be faulty, and how many make a quorum. The one definition.

With n >= 3f + 1 any two quorums share more than f validators, so at least one honest validator is in both;
and the n - f honest ones are a quorum by themselves.
"""

from __future__ import annotations


def faulty(n: int) -> int:
    """Return f, the number of faulty validators that n validators bear: floor((n - 1) / 3)."""
    _require_validators(n)
    return (n - 1) // 3


def quorum(n: int) -> int:
    """Return how many of n validators decide: floor(2n / 3) + 1."""
    _require_validators(n)
    return 2 * n // 3 + 1


def _require_validators(n: int) -> None:
    if n < 1:
        raise ValueError(f"a validator set has at least one member, not {n}")

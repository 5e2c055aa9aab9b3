"""Small plans: four miners, dense networks in NumPy, a second or so."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from node.experiment.plan import Plan, parse_plan

SMALL: dict[str, Any] = {
    "name": "small",
    "chain": "local",
    "miners": 4,
    "rounds": 2,
    "seeds": [1],
    "trainer": "numpy",
    "spec": {
        "genesis": {"round": {"winners": 2, "test_records": 20}},
        "learning": {"dataset": "noisy-digits", "architecture": "mlp", "epochs": 2},
    },
}


def table(**changes: Any) -> dict[str, Any]:
    """Return the small plan's table with some fields changed."""
    return deepcopy(SMALL) | changes


def plan(**changes: Any) -> Plan:
    """Return the small plan with some fields changed."""
    return parse_plan(table(**changes), "small.toml")

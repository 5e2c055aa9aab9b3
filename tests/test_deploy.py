"""What is shipped for Prometheus and Grafana, and docs/metrics.md, speak of metrics that a node really exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from tests.node.metrics.harness import parsed, values, whole

ROOT = Path(__file__).parents[1]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "pocl.json").read_text(encoding="utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]

OF_PROMETHEUS = {"up"}
"""Prometheus itself makes it."""

TARGET_LABELS = {"instance", "job"}
_DURATION = re.compile(r"[0-9]+(s|m|h|d)")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[Any]:
    found = [
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in panels()
        for target in panel["targets"]
    ]
    return found + [pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES]


def parts(expr: promql.Expr) -> Iterator[promql.Expr]:
    """Yield an expression and all within it."""
    yield expr
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        inner = getattr(expr, name, None)
        if isinstance(inner, promql.Expr):
            yield from parts(inner)
    for inner in getattr(expr, "args", ()):
        yield from parts(inner)


def problems(text: str) -> list[str]:
    """Return what is wrong with an expression: names, labels and values that no node has."""
    text = text.replace("$__rate_interval", "1m").replace("$instance", ".*")
    samples = {
        (sample.name, label, value)
        for family in parsed(whole()).values()
        for sample in family.samples
        for label, value in (sample.labels or {"": ""}).items()
    }
    labels = {(name, label) for name, label, _ in samples}
    names = {name for name, _, _ in samples}
    expr, found = promql.parse(text), []
    selectors = [part for part in parts(expr) if isinstance(part, promql.VectorSelector)]
    if not selectors:
        found.append("no metric")
    for selector in selectors:
        if selector.name not in names | OF_PROMETHEUS:
            found.append(f"no node exposes {selector.name}")
        for matcher in selector.matchers.matchers:
            if matcher.name in TARGET_LABELS:
                continue
            if matcher.op != promql.MatchOp.Equal:
                found.append(f"{matcher.name} is compared otherwise than by equality")
            elif (selector.name, matcher.name, matcher.value) not in samples:
                found.append(f'{selector.name} has no {matcher.name}="{matcher.value}"')
    for part in parts(expr):
        if isinstance(part, promql.AggregateExpr) and part.modifier is not None:
            of = {s.name for s in parts(part.expr) if isinstance(s, promql.VectorSelector)}
            for label in set(part.modifier.labels) - TARGET_LABELS:
                found += [f"{name} has no {label}" for name in of if (name, label) not in labels]
    return found


@pytest.mark.parametrize("text", expressions())
def test_an_expression_speaks_of_what_there_is(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "pocl_block_number",
        'pocl_block_height{status="finalized"}',
        'pocl_block_height{status=~"final|best"}',
        "sum by (peer) (pocl_peers)",
        "rate(pocl_finality_seconds[5m])",
        "histogram_quantile(0.5, sum by (le) (rate(pocl_view[5m])))",
        "1 + 1",
        "pocl_view > 1 and pocl_views > 1",
    ],
)
def test_a_wrong_expression_is_found_out(text: str) -> None:
    assert problems(text)


def test_an_expression_that_is_none_is_found_out() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        problems("sum by (le (pocl_view)")


def test_the_dashboard_is_one() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["instance"]["query"]["query"] == "label_values(pocl_build_info, instance)"
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, f"{panel['title']} lies over another panel"
        cells |= own
    for panel in panels():
        assert panel["type"] in {"stat", "timeseries", "heatmap", "state-timeline"}
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for query in (panel, *panel["targets"]):
            assert query["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert '{instance=~"$instance"' in target["expr"], "the choice of nodes must hold everywhere"
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label == "instance" or has_label(target["expr"], label)


def has_label(text: str, label: str) -> bool:
    used = re.findall(r"\b(?:pocl|process)_\w+", text)
    return any(
        label in sample.labels
        for family in parsed(whole()).values()
        for sample in family.samples
        if sample.name in used
    )


def test_every_metric_of_the_nodes_own_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    missing = [name for name in parsed(whole()) if name.startswith("pocl_") and name not in shown]
    # A variable is made of it.
    assert missing == ["pocl_build_info"]


def test_alert_rules_are_whole() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 8
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Pocl[A-Z]\w+", rule["alert"])
        assert _DURATION.fullmatch(rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert "{{ $labels.instance }}" in rule["annotations"]["summary"]


def test_the_example_of_prometheus_finds_rules_and_node() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    assert all((ROOT / "deploy" / file).exists() for file in config["rule_files"])
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "pocl"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9615"]}]


def test_the_document_lists_every_metric() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels)), help) for name, kind, labels, help in rows}
    exposed = {
        name: (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
            family.documentation,
        )
        for name, family in parsed(whole()).items()
    }
    assert listed == exposed
    assert len(rows) == len(listed)


def test_the_document_lists_every_value_of_a_label() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for key in values(whole()):
        if key[0] in (
            "pocl_block_height",
            "pocl_pool_transactions",
            "pocl_peers",
            "pocl_network_bytes_total",
        ):
            assert all(f"`{value}`" in text for value in key[1:]), key

"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """One line: which check, how it ended, what was found, and what to do about it."""

    check: str
    status: str
    message: str
    advice: str = ""


def ok(check: str, message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, OK, message)


def warning(check: str, message: str, advice: str = "") -> Finding:
    """Return a finding that a node can live with."""
    return Finding(check, WARNING, message, advice)


def problem(check: str, message: str, advice: str = "") -> Finding:
    """Return a finding because of which a node cannot start, or cannot do its part."""
    return Finding(check, PROBLEM, message, advice)

"""The `pocl` script where only the client is installed."""

from __future__ import annotations

import sys

import pytest

from node import entry


def test_without_the_extra_one_line_names_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "node.cli", raising=False)
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == "pocl: click is not installed: install the extra `node` (pip install '.[node]')"


def test_a_missing_module_of_our_own_is_a_defect(monkeypatch):
    monkeypatch.setitem(sys.modules, "node.cli", None)
    with pytest.raises(ModuleNotFoundError):
        entry.main()


def test_it_runs_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pocl", "--version"])
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("pocl, version")

# make run    a devnet of four real nodes on this machine, three rounds
# make test   every check and test that is not marked slow
# make simulate SEEDS=20000   whole networks in virtual time, in parallel (tests/simulation/README.md)
# make lint   format, lint, types, layers
# make proto  generated Python from proto/
# make bench  benchmarks
# PYTHON=python3.12 make ... chooses the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test simulate lint format proto bench clean

help:
	@sed -n '1,/^$$/s/^# //p' Makefile

$(BIN)/python: | scripts/check_system.sh
	@python="$$(scripts/check_system.sh)"; echo "creating $(VENV) with $$python"; "$$python" -m venv $(VENV)

# The stamps make a second run start at once; a changed pyproject.toml installs again.
$(VENV)/.installed-run: pyproject.toml | $(BIN)/python
	@scripts/check_system.sh >/dev/null
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[node,worker]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@scripts/check_system.sh >/dev/null
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[node,worker,dev]'
	@# libp2p brings type stubs of an old trio, which would hide trio's own types from mypy.
	rm -rf $(VENV)/lib/python3*/site-packages/trio-stubs
	@touch $@ $(VENV)/.installed-run

run: $(VENV)/.installed-run
	$(BIN)/pocl devnet --validators 4 --rounds 3 --chain chain-spec/local.json

test: $(VENV)/.installed-test
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow"

SEEDS ?= 1000
FIRST ?= 0
simulate: $(VENV)/.installed-test
	@$(BIN)/python -m tests.simulation.whole.run --seeds $(SEEDS) --first $(FIRST)

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: $(VENV)/.installed-test
	PYTHON=$(BIN)/python scripts/generate_proto.sh .

bench: $(VENV)/.installed-test
	@shopt -s nullglob; files=(benchmarks/bench_*.py); [ "$${#files[@]}" -gt 0 ] || echo "there are no benchmarks yet"; \
	for file in "$${files[@]}"; do echo "== $$file"; $(BIN)/python "$$file"; done

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

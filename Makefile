# make run    a devnet of four real nodes on this machine, three rounds
# make test   every check and test that is not marked slow
# make slow   the tests that are marked slow
# make simulate SEEDS=20000   whole networks in virtual time, in parallel (tests/simulation/README.md)
# make lint   format, lint, types, layers
# make proto  generated Python from proto/
# make bench  benchmarks; ONLY=import,tree for some, PROFILE=1 for profiles, SCALE=0.1 for a quick look (docs/benchmarks.md)
# make weights            weigh every call and hook and write the pallets' weights (docs/benchmarks.md, "Weights")
# make record             record the recorded chain anew, after a change of the protocol (CONTRIBUTING.md)
# make faults              real nodes, killed, paused, cut off and damaged (VALIDATORS, MINUTES, EVERY, AT_ONCE, SEED, WORKERS=1)
# make mutants             plant faults and see that tests notice: MUTANTS='light-*' for some, JOBS=1 for one at a time
# make fuzz MINUTES=5      every decoder that sees bytes from outside
# make hostile MINUTES=5   a node under every attack of tests/hostile: memory, finality
# make byzantine           rounds of four validators, one of them Byzantine in every known way (about 15 minutes)
# PYTHON=python3.12 make ... chooses the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test slow simulate faults mutants fuzz hostile byzantine weights record lint format proto bench clean

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
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[node,worker,experiments,dev]'
	@# libp2p brings type stubs of an old trio, which would hide trio's own types from mypy.
	rm -rf $(VENV)/lib/python3*/site-packages/trio-stubs
	@touch $@ $(VENV)/.installed-run

run: $(VENV)/.installed-run
	$(BIN)/pocl devnet --validators 4 --rounds 3 --chain chain-spec/local.json

test: $(VENV)/.installed-test
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow"

# Disks and links can be harmed only by root; without, those faults are skipped with a reason.
faults: $(VENV)/.installed-test
	$(BIN)/python -m tests.faults --validators $(or $(VALIDATORS),4) --minutes $(or $(MINUTES),5) \
	  --every $(or $(EVERY),15) --at-once $(or $(AT_ONCE),1) --seed $(or $(SEED),1) $(if $(WORKERS),--workers) --json faults.json

slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

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
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(SCALE),--scale $(SCALE)) $(if $(PROFILE),--profile) $(if $(ALLOW_MISSED),--allow-missed)

weights: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks.weights
	$(BIN)/ruff format pallets runtime

record: $(VENV)/.installed-test
	$(BIN)/python -m tests.runtime.recorded_chain

mutants: $(VENV)/.installed-test
	$(BIN)/python -m tests.mutants $(if $(JOBS),--jobs $(JOBS)) $(foreach name,$(MUTANTS),'$(name)')

MINUTES ?= 5

fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

hostile: $(VENV)/.installed-test
	$(BIN)/python -m tests.hostile.siege --minutes $(MINUTES)

byzantine: $(VENV)/.installed-test
	$(BIN)/python -m tests.hostile.rounds

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

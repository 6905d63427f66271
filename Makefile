# Every target sets itself up: all that is needed is Python 3.11 or newer, git and make.
#   make demo PYTHON=python3.12     uses that Python, in a virtual environment of its own

.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:

# A Python that was named gets its own environment, so that naming another one never breaks the first.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV ?= .venv
else
VENV ?= .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
SOURCES := src tests docs hatch_build.py $(wildcard bench)

# Stamps: made after a step has succeeded, so that an interrupted one is done again.
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
NPM_AGENTS := .agents/.made
PY_AGENTS := .agents/python/.made
WITH_AGENTS := ROPETEAM_TEST_AGENTS="$(CURDIR)/.agents/node_modules/.bin" ROPETEAM_TEST_PY_AGENTS="$(CURDIR)/.agents/python/bin"

# Most of a test is waiting for a process: two workers a core. WORKERS="-n 0" runs them one after the other.
WORKERS ?= -n 4
# Real programs, which wait a minute before they give up: half as many, since each takes a core while it starts.
AGENT_WORKERS ?= -n 2

BENCHES := $(filter-out plays git_recording kills quantiles,$(basename $(notdir $(wildcard bench/*.py))))

.PHONY: print-bin help demo test test-slow test-sweeps test-all test-agents record-agents check format bench bench-kills bench-quantiles lock wheel setup

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

demo: $(RUNTIME) ## a complete run on a small sample repository: no key, no network
	@$(BIN)/ropeteam demo

test: $(DEV) ## the tests, without those that take long
	@$(BIN)/python -m pytest $(WORKERS) -m "not slow and not agents"

test-slow: $(DEV) ## those that take long
	@$(BIN)/python -m pytest $(WORKERS) -m "slow and not agents and not sweep" --durations=15

test-sweeps: $(DEV) ## every moment of the kill sweeps, of which the slow tests play a sample
	@$(BIN)/python -m pytest $(WORKERS) -m "sweep"

test-all: test test-slow ## both

test-agents: $(DEV) $(NPM_AGENTS) $(PY_AGENTS) ## the tests that need agent programs from npm and PyPI
	@$(WITH_AGENTS) $(BIN)/python -m pytest $(AGENT_WORKERS) -m agents

record-agents: $(DEV) $(NPM_AGENTS) $(PY_AGENTS) ## record what those programs say, for the tests of their events (AGENT=codex: of one)
	@PYTHONPATH=tests $(WITH_AGENTS) $(BIN)/python tests/agents/record.py $(or $(AGENT),all) $(CASES)

check: $(DEV) ## style, types, import contracts
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV) ## put the code into its canonical form
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: $(DEV) ## measure what docs/guide/evidence.md states
	@for name in $(BENCHES); do echo "== bench/$$name.py"; $(BIN)/python "bench/$$name.py" || exit 1; done

bench-kills: $(DEV) ## kill a run of nine units at 200 random moments, and resume it each time
	@$(BIN)/python bench/kills.py

bench-quantiles: $(DEV) ## 100 runs beside the simulation's quantiles (half an hour)
	@$(BIN)/python bench/quantiles.py

wheel: $(DEV) ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

lock: $(MADE) ## resolve the dependencies anew into requirements*.lock (UPGRADE=1: to their newest versions)
	@$(PIP) --require-hashes -r requirements-uv.lock
	@UV="$(BIN)/uv" UPGRADE="$(UPGRADE)" ./.ci/lock

setup: $(DEV) ## everything that development needs

print-bin:
	@echo "$(BIN)"

$(MADE):
	@test -n "$(PYTHON)" || { echo "ropeteam needs Python 3.11 or newer, and none was found. Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ropeteam needs Python 3.11 or newer; $(PYTHON) is older or missing. Name another: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: its ensurepip is missing. On Debian or Ubuntu: apt install python3-venv. Or name another Python: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): $(MADE) requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing what ropeteam needs to run" >&2
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@echo "Installing what the tests and checks need (about 550 MB: the claude program is among it)" >&2
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(NPM_AGENTS): tests/agents/package.json tests/agents/package-lock.json
	@command -v npm >/dev/null || { echo "make test-agents needs npm (Node 20 or newer) to install the agents' programs." >&2; exit 1; }
	@mkdir -p .agents && cp tests/agents/package.json tests/agents/package-lock.json .agents/
	@# Not `npm ci`: it refuses a lock without opencode's packages for other systems, which not every registry has.
	@npm --prefix .agents install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

$(PY_AGENTS): $(MADE) tests/agents/requirements.txt tests/agents/constraints.txt
	@echo "Installing the agents from PyPI into an environment of their own (950 MB)" >&2
	@test -x .agents/python/bin/python || $(BIN)/python -m venv .agents/python
	@.agents/python/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r tests/agents/requirements.txt -c tests/agents/constraints.txt
	@touch $@

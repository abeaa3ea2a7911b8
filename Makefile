# The commands of the project. A machine needs Python >= 3.11 and make, nothing else.
#   make up            install, start everything, run a starter workflow (DETACH=1: return when healthy)
#   make down          stop what `make up` started
#   make test          install, lint, run every test;   make test T="tests/engine -k retry"
#   make lint          ruff and mypy --strict
#   make bench         measure, print, write bench/latest.json
#   make chaos         kill real processes, then count;   make chaos ROWS=R1,R5 SHORT=1 JSON=chaos.json
#   make fuzz          random data at length;   make fuzz MINUTES=10 PARTS="csv rows"
#   make clean         remove what was built (the data in .structforge stays)

SHELL := /bin/sh
VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := $(VENV)/bin
T ?=
ROWS ?=

.PHONY: up down test lint bench chaos fuzz clean lock install-run install-dev

up: install-run
	@exec $(BIN)/structforge up $(if $(filter-out 0,$(DETACH)),--detach)

down:
	@test ! -x $(BIN)/structforge || exec $(BIN)/structforge down

test: install-dev lint
	@$(BIN)/python -m tests.support.chromium
	@exec $(BIN)/python -m pytest $(T)

lint: install-dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

bench: install-dev
	@exec $(BIN)/python -m bench

chaos: install-dev
	@exec $(BIN)/structforge chaos $(if $(ROWS),--only $(ROWS)) $(if $(filter-out 0,$(SHORT)),--short) $(if $(JSON),--json $(JSON))

fuzz: install-dev
	@exec $(BIN)/python -m tests.fuzz $(if $(MINUTES),--minutes $(MINUTES)) $(PARTS)

clean:
	rm -rf .venv .venv.lock .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .web test-results

install-run install-dev: install-%:
	@test -n "$(PYTHON)" || { echo "StructForge needs Python 3.11 or newer, and none was found." \
	  "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) requirements/install.py $(VENV) $*

# Resolve the lock files anew from pyproject.toml (needs a network).
lock: install-dev
	$(BIN)/uv pip compile pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --quiet --output-file requirements/run.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --quiet --output-file requirements/dev.lock --constraint requirements/run.lock

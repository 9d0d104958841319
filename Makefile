# Two commands for everybody: `make demo` and `make test`. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check lint types tests drift explore generate bench clean

demo: $(VENV)/.installed
	@$(BIN)/nitroctl demo

test: check

check: lint types drift tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

drift: $(VENV)/.installed-dev
	$(BIN)/python -m tests.generate --check

# In an order that is mixed, and the same each time; SEED=last and others are pytest-randomly's.
SEED ?= 1
tests: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -p randomly --randomly-seed=$(SEED)

# The property tests with examples of their own, drawn anew: ROUNDS=20 make explore.
ROUNDS ?= 5
explore: $(VENV)/.installed-dev
	@for round in $$(seq $(ROUNDS)); do \
		NITROCTL_TEST_PROFILE=explore $(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/property || exit 1; \
	done

generate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.generate

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.perf.startup

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nitroctl needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint requirements.txt --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint requirements.txt --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist

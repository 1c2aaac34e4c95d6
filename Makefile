# Needs only Python 3.11 or newer and make. `make help` lists the targets.

# Which Python makes .venv; how many processes run the tests (0: this one); further words for pytest.
PYTHON ?= python3
JOBS ?= 2
ARGS ?=

BIN := .venv/bin
STAMP := .venv/.osler-setup
PYTEST := $(BIN)/python -m pytest -n $(JOBS)

.PHONY: help setup demo test test-all lint craft docs clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(STAMP) ## build .venv, if it is missing or older than pyproject.toml or constraints.txt
	@:

$(STAMP): pyproject.toml constraints.txt tools/set_up.py
	@$(PYTHON) tools/set_up.py

demo: $(STAMP) ## train on real handwritten digits and say where the report lies
	$(BIN)/osler train

test: $(STAMP) ## the tests, without the slow ones
	$(PYTEST) $(ARGS)

test-all: $(STAMP) ## all tests
	$(PYTEST) -m "slow or not slow" $(ARGS)

lint: $(STAMP) ## ruff, mypy, and the floors of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

craft: $(STAMP) ## every row of the craft's inventory with its tests; writes docs/craft.md
	$(BIN)/python tools/craft_rows.py --jobs $(JOBS)

docs: craft ## the generated pages of docs/
	$(BIN)/python tools/networks_page.py
	$(BIN)/python tools/faults_page.py

clean: ## remove caches and build products; .venv and runs stay
	rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

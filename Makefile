# `make quickstart` and `make test` are all a newcomer needs; both make .venv on the first use.
PYTHON ?= python3
BIN := .venv/bin
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
# Twice quiet: errors only.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.PHONY: help quickstart test lint docs wheel-test clean
.DELETE_ON_ERROR:

help:
	@echo "make quickstart   train, evaluate and build the leaderboard of MovieLens-100K"
	@echo "make test         everything CI runs: lint, types, import contracts, tests"
	@echo "make lint         test without the tests"
	@echo "make docs         write the model pages and the tables of README.md"
	@echo "make wheel-test   build the wheel and use it in an empty venv"
	@echo "make clean        remove .venv, runs, site and caches"

quickstart: .venv/.benchmarks
	@$(BIN)/python -m benchmarks run configs/suites/quickstart.yaml
	@$(BIN)/python -m leaderboard show --records runs
	@$(BIN)/python -m leaderboard build --records runs --out site

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One thread a worker: more would only fight for the cores.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

docs: .venv/.dev
	@$(BIN)/python -m docs.build

wheel-test: .venv/.dev
	@tests/wheel_in_empty_venv.sh $(BIN)/python

clean:
	rm -rf .venv runs site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Made anew when what is to be installed changes: .venv/.benchmarks for running, .venv/.dev for testing too.
.venv/.%: pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" .ci/venv.sh
	@echo "Installing (once; a few minutes)"
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[$*]'
	@touch $@

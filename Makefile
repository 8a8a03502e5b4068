# make demo       measure a real training, with a live forecast, and write its report
# make check      unit tests, in under two minutes
# make test       everything the product promises
# make test-data  the benchmarks' tests, and those on published measurements beside the project
# make lint       style, types, floors, and the figures of the code
# make mutants    whether the tests of the central files notice a changed figure; a sample of each,
#                 or with MUTANTS='--all units' every mutant of one file
# make docs       the documentation site, into site/
# make bench      the figures of benchmarks/README.md, measured here
# Each sets up what it needs. PYTHON picks the interpreter (3.11 or newer).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo check test test-data lint mutants docs bench
.DELETE_ON_ERROR:

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "joulecast needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	@mkdir -p demo
	$(BIN)/joulecast run --name "digits demo" --live --idle 3s --ledger demo/ledger.sqlite \
		-- $(BIN)/python examples/train_digits.py
	$(BIN)/joulecast report last --ledger demo/ledger.sqlite -o demo/report.html

check: $(READY)
	$(PYTEST) tests/unit -m "not data"

test: $(READY)
	$(PYTEST) -m "not data"

test-data: $(READY)
	$(PYTEST) -m data

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python benchmarks/code_figures.py

mutants: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	$(BIN)/python benchmarks/mutants.py $(MUTANTS)

docs: $(READY)
	$(BIN)/python docs/generate.py --check
	$(BIN)/zensical build --strict --clean

bench: $(READY)
	$(BIN)/python benchmarks/run_all.py

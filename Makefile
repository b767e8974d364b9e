# Everything a clone needs. On Windows, or without make, see the two pip lines in README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A file's tests share what they prepare; tests/conftest.py lets the longest files begin.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all lint format photographs docs clean

demo: $(VENV)/.installed ## install, render a tiny data set, fit six methods, print the table, write a report
	$(BIN)/zoo demo

test: $(VENV)/.installed-test ## all tests but the slow ones, and the examples of docstrings, eight minutes on two cores
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.installed-test ## all tests, half an hour on two cores
	$(PYTEST)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Hours on two cores, in as many sittings as you like: the same command goes on.
RUNS ?= runs
JOBS ?= 2
BENCH = $(BIN)/zoo bench --data.root $(ZOO_DATA) --out $(RUNS) --jobs $(JOBS) --threads 1
BANKS := patchcore/embedded superad/embedded
TRAINED := rd/embedded rdpp/embedded efficientad/embedded inpformer/embedded padim/stock

photographs: $(VENV)/.installed ## run all that results/real_photographs.csv holds on the data set $$ZOO_DATA
	@test -n "$(ZOO_DATA)" || { echo "say where the data set is: make photographs ZOO_DATA=DIR"; exit 2; }
	$(BENCH) $(BANKS) --seeds 0 1 2
	$(BENCH) $(TRAINED)
	$(BIN)/zoo table $(RUNS) --format csv > results/real_photographs.csv

docs: $(VENV)/.installed ## write every generated block of README.md, docs/ and the methods' pages
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e ".[test]"
	@touch $@ $(VENV)/.installed

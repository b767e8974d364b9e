# Everything a clone needs. On Windows, or without make, see the two pip lines in README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all lint format docs clean

demo: $(VENV)/.installed ## install, render a tiny data set, fit six methods, print the table, write a report
	$(BIN)/zoo demo

test: $(VENV)/.installed-test ## all tests but the slow ones, under 15 minutes on two cores
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.installed-test ## all tests, under an hour on two cores
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

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

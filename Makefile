# Two commands for a newcomer: `make run` and `make test`. Both set up .venv first, from a bare Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := tuiface tests tools
WORKERS ?= 2
unexport PYTHONDONTWRITEBYTECODE  # each of the suite's processes would compile everything again

.PHONY: run test chaos lint format types check bench schemas docs catalogues constraints audit clean

run: $(VENV)/.run  ## set up and start; without a terminal, render sample faces into out/
	@if [ -t 0 ] && [ -t 1 ]; then \
		$(BIN)/tuiface; \
	else \
		$(BIN)/tuiface render 0 --count 8 --out out --force; \
	fi

test: $(VENV)/.test  ## the whole suite, on a CPU, in some seven minutes on two cores
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder  # the order of tests/conftest.py

chaos: $(VENV)/.test  ## kill random commands at random moments, 500 times, and see that nothing is lost
	nice $(BIN)/python -m tests.chaos.long_run

lint: $(VENV)/.test  ## style and layering of the sources
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/.test  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## everything that CI asks for

format: $(VENV)/.test  ## write the formatter's and linter's fixes
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.run  ## the measurements of docs/performance.md
	$(BIN)/tuiface bench start
	$(BIN)/tuiface bench open
	$(BIN)/tuiface bench synthesis

schemas: $(VENV)/.test  ## write the JSON Schemas of the file formats
	$(BIN)/python -m tools.write_schemas

docs: $(VENV)/.test  ## write docs/commands.md and the key table in README.md
	$(BIN)/python -m tools.write_docs

catalogues: $(VENV)/.test  ## compile the translations
	$(BIN)/python -m tools.catalogues

constraints: $(VENV)/.test  ## pin what is installed now
	( head -n 1 constraints.txt; $(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' ) > constraints.new
	mv constraints.new constraints.txt

audit: $(BIN)/pip  ## look up known vulnerabilities of the pinned versions; needs internet
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(VENV)-audit/bin/pip-audit --no-deps --disable-pip -r constraints.txt

clean:  ## remove everything that make made
	rm -rf $(VENV) $(VENV)-audit out build dist .mypy_cache .ruff_cache .pytest_cache

$(BIN)/pip: tools/make_venv.py
	$(PYTHON) tools/make_venv.py $(VENV)
	@touch $@

$(VENV)/.run: $(BIN)/pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(BIN)/python -m compileall -q tuiface  # a start that compiles takes 60 ms longer, each time where it may not write
	@touch $@

$(VENV)/.test: $(BIN)/pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q tuiface tests  # the suite starts some two hundred processes
	@touch $@ $(VENV)/.run

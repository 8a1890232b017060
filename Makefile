# make demo, make test: each sets up everything it needs on a fresh machine (Linux, Python 3.11 or later, no GPU needed).
# Variables: PYTHON (which Python the environment is made with), PIP_ARGS (options of pip install, such as an index of CPU
# builds of torch; uv gets the same), PYTEST_ARGS (added to pytest, such as -k NAME).

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
# More than cores: some tests wait for processes, servers and a browser.
PYTEST_WORKERS ?= 4

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/cpu.txt
# The environment is made again when the lock or the project's metadata change, and only then.
STAMP := $(VENV)/.ready-$(shell cat $(LOCK) pyproject.toml | cksum | cut -d ' ' -f 1)

DEMO_RUN := runs/demo
# The folder of runs that the app opens.
RUNS ?= runs

.PHONY: help setup demo app screenshots test test-slow conformance check lowest format lint types layers guards bench mutation docs docs-run docs-site gallery clean

help:
	@echo "make demo    train the embedded tiny model by PPO, evaluate it before and after (under ten minutes)"
	@echo "make app     open the app on runs/, or on the example run if there is none (RUNS=DIR opens it elsewhere)"
	@echo "make test    run all tests but the slow ones; make test-slow runs those"
	@echo "make conformance  every labelled answer, dress, hedge and constant against the grader, as a table by kind"
	@echo "make check   what CI runs: format, lint, types, layers, guards, all tests"
	@echo "make bench   measure speed; results are kept in benchmarks/results/"
	@echo "make mutation  change the core modules in small ways and list the changes that no test notices (half an hour)"
	@echo "make screenshots  write docs/screenshots from the runs in RUNS, with a Chromium"
	@echo "make docs    write what the documents have from code and records;  make docs-run runs their commands (minutes)"
	@echo "make docs-site  build the documentation site in build/site, where a broken link is an error"
	@echo "make gallery  draw docs/gallery from new tiny runs (half an hour)"
	@echo "make setup   only make the environment in $(VENV);  make clean removes it, runs and models stay"

setup: $(STAMP)

# An interrupted installation leaves .installing behind and is started from nothing the next time.
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), but Python 3.11 or later is needed; name one: make setup PYTHON=python3.11" >&2; \
	  exit 1; }
	@$(PYTHON) requirements/install.py $@ $(LOCK) $(PIP_ARGS)

# Training evaluates the base model, some steps on the way, and the last one; the report shows them beside each other.
demo: setup
	$(BIN)/orz-rl train --recipe tiny --out $(DEMO_RUN)
	$(BIN)/orz-bench report $(DEMO_RUN)
	$(BIN)/orz-analysis report $(DEMO_RUN) --out $(DEMO_RUN)/report
	@echo "Every question, answer and verdict is in $(DEMO_RUN) (Parquet). The same command resumes, or finds nothing missing."
	@echo "Browse them: $(BIN)/orz-app --runs $(dir $(DEMO_RUN))"

# Before there is a run (the app looks three levels deep), the example: a recorded training of SmolLM2-135M (docs/smollm2.md).
THERE = $(wildcard $(addsuffix run.json,$(RUNS)/ $(RUNS)/*/ $(RUNS)/*/*/ $(RUNS)/*/*/*/))
SHOWN := $(if $(or $(filter-out file,$(origin RUNS)),$(THERE)),$(RUNS),examples/runs)

app: setup
	@mkdir -p $(SHOWN)
	$(BIN)/streamlit run app/main.py -- --runs $(SHOWN)

screenshots: setup
	$(BIN)/python -m tests.browser.screenshots $(RUNS) docs/screenshots

# One worker a file; the files that load a real model come first and are all one worker's (tests/support/schedule.py).
test: setup
	@$(call pytest,not slow)

# Browsers, clusters, and whole trainings: as long again. `make check` and CI run both.
test-slow: setup
	@$(call pytest,slow)

# Hundreds of processes read the same modules: they are compiled once, even where the shell asks for no bytecode.
pytest = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m "$(1)" $(PYTEST_ARGS); \
  status=$$?; if [ $$status -eq 5 ]; then echo "pytest found no test to run (exit 5): that is a failure here" >&2; fi; \
  exit $$status

# In full; `make test` runs a sample. With ORZ_DATA (or ../shared/data) also on the golds of the benchmarks.
conformance: setup
	$(BIN)/python -m tests.conformance

check: lint types layers test test-slow

# The wheel with the lowest versions that pyproject.toml allows, in a folder of its own; a minute.
lowest: setup
	@PATH="$(CURDIR)/$(VENV)/.bootstrap/bin:$$PATH" $(BIN)/python -m requirements.check_lowest $(PIP_ARGS)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

# A part of `make test`, for a quick look while writing.
guards: setup
	$(BIN)/python -m pytest tests/guards $(PYTEST_ARGS)

# docs/metrics.md from the catalogue of metrics; numbers from the records; tables from the code.
docs: setup
	$(BIN)/orz-analysis metrics --markdown > docs/.metrics.md
	@mv docs/.metrics.md docs/metrics.md
	$(BIN)/python -m tests.documents.numbers
	$(BIN)/python -m tests.documents.parts

# Every command of README.md and docs/, as tests/documents/commands.yaml says, and its output against the page. `make test`
# runs the pages that take seconds. DOCS_ARGS=--write writes the outputs, DOCS_ARGS=PAGE runs one page.
DOCS_ARGS ?=

docs-run: setup
	$(BIN)/python -m tests.documents.commands $(DOCS_ARGS)

# The generator has an environment of its own, build/site-environment, from requirements/site.txt.
docs-site: setup
	@PATH="$(CURDIR)/$(VENV)/.bootstrap/bin:$$PATH" $(BIN)/python -m tests.documents.site $(PIP_ARGS)

# docs/gallery from runs of the tiny recipe: two seeds of it, and GAE with lambda 0.95. Half an hour on two cores.
GALLERY := runs/gallery

gallery: setup
	$(BIN)/orz-rl train --recipe tiny --out $(GALLERY)/tiny seed=42
	$(BIN)/orz-rl train --recipe tiny --out $(GALLERY)/tiny-seed7 seed=7
	$(BIN)/orz-rl train --recipe tiny --variant gae_lambda_0p95 --out $(GALLERY)/lambda-0p95 seed=42
	$(BIN)/orz-analysis report $(GALLERY)/tiny $(GALLERY)/tiny-seed7 $(GALLERY)/lambda-0p95 --out $(GALLERY)/report
	cp $(GALLERY)/report/figures/*.png docs/gallery/

# All but mutation.py, which measures no speed and has a target of its own.
bench: setup
	@for script in benchmarks/[a-z]*.py; do \
	  [ -e "$$script" ] || { echo "benchmarks/ holds no script" >&2; exit 1; }; \
	  [ "$$script" != benchmarks/mutation.py ] || continue; \
	  echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

mutation: setup
	$(BIN)/python benchmarks/mutation.py

# The rename first: what an interrupted `make clean` leaves is no environment.
clean:
	rm -rf $(VENV).removed
	@if [ -e $(VENV) ]; then mv $(VENV) $(VENV).removed; fi
	rm -rf $(VENV).removed build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache

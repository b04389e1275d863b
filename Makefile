# On a fresh clone `make demo` and `make test` install everything first. PYTHON=python3.12 takes another Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
WHEELS := build/wheels
DOC_TOOLS := results_tables reference charts pictures scaling_tables
COMPILE = $(1)/bin/uv pip compile --quiet --no-header --generate-hashes --upgrade --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 pyproject.toml

# Compile each library module once, at its first import, instead of in every process that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test faults coverage setup docs check-docs lint format types check-base check-release lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(READY) ## train, evaluate, predict and report, in one go
	@$(BIN)/modiste demo
	@echo "'modiste' itself is $(BIN)/modiste; '. $(BIN)/activate' puts it on the path"

# Cheap checks first; the first failure ends the target.
test: lint types check-docs check-base ## all checks
	@echo "==> tests"
	@$(BIN)/pytest

# Each part is measured whether or not another one fails; repeated at one commit, only what is missing.
faults: $(READY) ## the tests of faults in their long form (hours), each guard taken away in turn, and the load of the service (needs wrk)
	@failed=; for part in benchmarks/fault_tests.py "tests/faults/run_guards.py --write" benchmarks/load.py; do \
		echo "==> $$part"; $(BIN)/python $$part || failed="$$failed $$part,"; done; \
	[ -z "$$failed" ] || { echo "failed:$$failed see the table that 'make docs' writes into docs/security.md"; exit 1; }

# Processes that the tests start count as well. Tests that measure time may fail here; `make test` decides on them.
coverage: $(READY) ## the lines of src that the tests execute, at least 95 %, also into results/faults.json
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest || echo "some tests fail while lines are counted"
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage json --quiet --fail-under=0 -o build/coverage.json
	@$(BIN)/python benchmarks/fault_results.py build/coverage.json
	@$(BIN)/coverage report

setup: $(READY) ## the virtual environment with all dependencies

# Two stamp files: a new lock creates a new environment; a changed pyproject.toml only reinstalls the package (one or two seconds).
$(VENV)/.locked: requirements.lock
	@echo "==> set-up: $(VENV) with the locked packages, torch among them (5.5 GB; a minute or two from a local store or cache)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install -qq --no-compile --no-deps --require-hashes -r requirements.lock
	@$(PIP) check > /dev/null || { $(PIP) check; exit 1; }
	@touch $@

$(READY): pyproject.toml $(VENV)/.locked
	@echo "==> set-up: modiste itself"
	@$(PIP) install -qq --no-build-isolation --no-deps --editable .
	@touch $@

docs: $(READY) ## regenerate tables, settings, help pages, charts and screenshots of the documentation
	@for tool in $(DOC_TOOLS); do $(BIN)/python tools/$$tool.py || exit 1; done

check-docs: $(READY) ## check that they are up to date
	@echo "==> generated documentation"
	@for tool in $(DOC_TOOLS); do $(BIN)/python tools/$$tool.py --check || exit 1; done

lint: $(READY) ## lint, format and import layers
	@echo "==> lint"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "not formatted: run 'make format'"; $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/lint-imports

types: $(READY) ## strict types on src
	@echo "==> types"
	@$(BIN)/mypy

format: $(READY) ## format, and fix what can be fixed automatically
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

check-base: $(READY) ## install the wheel without torch and predict
	@echo "==> wheel and base install"
	@rm -rf $(WHEELS)
	@$(BIN)/hatchling build --target wheel --directory $(WHEELS) > /dev/null
	@PYTHON=$(PYTHON) tools/check_base_install.sh $(WHEELS)/*.whl

check-release: ## build wheel and sdist, and test them in fresh environments on each installed Python from 3.11 to 3.14
	@PYTHON=$(PYTHON) tools/check_release.sh

lock: ## update all lock files to the newest compatible versions
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/pip install -qq --disable-pip-version-check uv
	@$(call COMPILE,build/lock) --extra audit --extra cluster --extra heic --extra mlflow --extra notebook --extra parquet --extra pdf --extra photo --extra tensorboard --extra tune --extra web --group dev --output-file requirements.lock
	@$(call COMPILE,build/lock) --output-file requirements-base.lock
	@$(call COMPILE,build/lock) --extra web --constraint requirements.lock --output-file requirements-web.lock
	@rm -rf build/lock

clean: ## remove generated files, but not runs/
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

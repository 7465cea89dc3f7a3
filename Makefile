# Needs nothing but make and Python 3.11 or newer. PYTHON=python3.13 picks another one.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
READY_DEV := .venv/.ready-dev
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile

COMPILE = uv pip compile setup.py --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) --quiet \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dev test lint format coverage docs bench lock calendars clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Backfill the bundled sample and show the scores; ARGS=--full predicts all of its days
	@$(BIN)/predtrack demo $(ARGS)

dev: $(READY) ## Start PostgreSQL and the Dagster UI
	@$(BIN)/predtrack dev

test: $(READY_DEV) ## Run the tests; SLOW=1 with the slow ones, ARGS="-k calendar" picks some
	@$(BIN)/python -m pytest $(if $(SLOW),,-m "not slow") $(ARGS)

lint: $(READY_DEV) ## Style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY_DEV) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

coverage: $(READY_DEV) ## Coverage of domain/ by its own tests, with a floor; ARGS adds options
	@$(BIN)/python -m pytest -m "not slow" predtrack_assets_tests/domain $(ARGS) \
		--cov=predtrack_assets/domain --cov-report=term:skip-covered

docs: $(READY_DEV) ## Write docs/reference from the code
	@$(BIN)/python -m docs.generate

bench: $(READY_DEV) ## One JSON line per benchmark; ARGS picks the cases
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## Resolve the two lock files anew, for Python 3.11 and newer (needs uv); UPGRADE=1 takes newer ones
	$(COMPILE) --extra sample --output-file requirements.lock
	$(COMPILE) --extra sample --extra s3 --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	{ echo '# By make lock: what tests and lint need beside what runs.'; echo '-r requirements.lock'; \
		grep -vxFf requirements.lock requirements-dev.lock; } > requirements-dev.new
	mv requirements-dev.new requirements-dev.lock

calendars: ## Write the exchanges' sessions and hours anew from exchange_calendars (needs uv)
	uv run --quiet --isolated --no-project --with 'exchange_calendars>=4.13,<5' --with 'pandas<3' \
		python -W ignore predtrack_assets_tests/domain/time/exchange_snapshot.py

clean: ## Remove the environment and caches; the data in .predtrack stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.predtrack/*' -prune -exec rm -rf {} +

# A stamp is written last: an interrupted installation is done again.
$(READY): requirements.lock setup.py
	@command -v $(PYTHON) >/dev/null || { \
		echo "PredTrack needs Python 3.11 or newer, and there is no $(PYTHON): try make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"PredTrack needs Python 3.11 or newer, this is %d.%d: try make PYTHON=python3.11" \
		% sys.version_info[:2])'
	@rm -f $(READY) $(READY_DEV)
	@echo "Setting up .venv (a minute, once) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $@

$(READY_DEV): $(READY) requirements-dev.lock
	@echo "Adding the development tools ..."
	@$(PIP) -r requirements-dev.lock
	@touch $@

# Needs nothing but make and Python 3.11 or newer. PYTHON=python3.13 picks another one.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dev test lint format bench lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Backfill the bundled sample through the whole graph and show the scores
	@$(BIN)/predtrack demo

dev: $(READY) ## Start PostgreSQL and the Dagster UI
	@$(BIN)/predtrack dev

test: $(READY) ## Run the tests; SLOW=1 with the slow ones, ARGS="-k calendar" picks some
	@$(BIN)/python -m pytest $(if $(SLOW),,-m "not slow") $(ARGS)

lint: $(READY) ## Style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## One JSON line per benchmark; ARGS picks the cases
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## Resolve requirements.lock anew, for Python 3.11 and newer (needs uv)
	uv pip compile setup.py --extra sample --extra s3 --extra dev --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) \
		--no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
		--output-file requirements.lock

clean: ## Remove the environment and caches; the data in .predtrack stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.predtrack/*' -prune -exec rm -rf {} +

# The stamp is written last: an interrupted installation is done again.
$(READY): requirements.lock setup.py
	@command -v $(PYTHON) >/dev/null || { \
		echo "PredTrack needs Python 3.11 or newer, and there is no $(PYTHON): try make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"PredTrack needs Python 3.11 or newer, this is %d.%d: try make PYTHON=python3.11" \
		% sys.version_info[:2])'
	@rm -f $@
	@echo "Setting up .venv (a minute or two, once) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

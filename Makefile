# Everything starts here: `make run`, `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
UV := 0.13.9
LOCK_FLAGS := --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links
ENV ?= sample
# Tools start one another by name: `kedro mlflow ui` starts `mlflow`.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Every tool we start is kept from phoning home.
export DO_NOT_TRACK := 1
export KEDRO_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1
export GRADIO_ANALYTICS_ENABLED := False
export NO_MKDOCS_2_WARNING := 1

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: run
run: $(VENV)/train ## Set up, then run the whole chain on the drawn sample set.
	@$(BIN)/kedro run --env $(ENV) $(ARGS)

.PHONY: test
test: check ## Set up, then run every check but the extended tests.
	$(BIN)/pytest -m "not extended"

.PHONY: test-all
test-all: check ## The extended tests too (real clips, patience); slow ones that passed on this tree are not run again.
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n 0 --not-again

.PHONY: check
check: $(VENV)/dev ## Lint, format, types and imports.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: setup
setup: $(VENV)/dev ## Set up with the tools, and nothing else.

.PHONY: docs
docs: $(VENV)/dev ## Build the documentation into site/, with the notebooks' outputs after `make run`.
	@$(BIN)/python tools/execute_notebooks.py
	@$(BIN)/mkdocs build --quiet --strict
	@echo "The documentation: $(CURDIR)/site/index.html"

.PHONY: bench
bench: $(VENV)/dev ## Measure speed; NAMES="startup memory_slope" for some.
	$(BIN)/python -m benchmarks $(NAMES)

.PHONY: viz
viz: $(VENV)/train ## Open the pipelines in kedro-viz.
	@$(BIN)/python -m hmdb_kedro.graph colour
	$(BIN)/kedro viz run --env $(ENV) --include-hooks

.PHONY: site
site: $(VENV)/train ## Write what `make viz` shows as files below build/viz, for any server of files.
	@$(BIN)/python -m hmdb_kedro.graph build build/viz --env $(ENV)

.PHONY: report
report: $(VENV)/train ## Write the report and the model card of a finished run, and say where.
	@$(BIN)/kedro hmdb report --env $(ENV) $(ARGS)

.PHONY: demo
demo: $(VENV)/train ## Open a page: drop a clip, see what each stream says, and where it errs.
	@$(BIN)/kedro hmdb demo --env $(ENV) $(ARGS)

.PHONY: mlflow
mlflow: $(VENV)/train ## Open the runs in MLflow.
	@$(BIN)/kedro hmdb runs --env $(ENV)
	$(BIN)/kedro mlflow ui --env $(ENV)

.PHONY: serve
serve: $(VENV)/train ## Serve the best two-stream model of MLflow on 127.0.0.1:5001.
	@$(BIN)/kedro hmdb serve --env $(ENV) $(ARGS)

.PHONY: lock
lock: $(VENV)/uv ## Resolve the requirements anew, with hashes.
	$(BIN)/uv pip compile $(LOCK_FLAGS) --extra train pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK_FLAGS) --extra train --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

.PHONY: clean
clean: ## Remove the environment, caches and the sample set; data of your own stays.
	rm -rf $(VENV) build dist site .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache data/sample
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. A target is the file that says which lock is installed, so that nothing is done twice.

$(VENV)/dev: requirements-dev.lock pyproject.toml $(VENV)/uv
	$(call install,requirements-dev.lock)
	@touch $(VENV)/train $@

$(VENV)/train: requirements.lock pyproject.toml $(VENV)/uv
	$(call install,requirements.lock)
	@touch $@

define install
	@echo "Installing $(1) …"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $(1)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
endef

$(VENV)/uv:
	@python=$$(sh tools/find-python) && "$$python" -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV) \
		|| { echo "uv could not be installed: is there a network?" >&2; exit 1; }
	@touch $@

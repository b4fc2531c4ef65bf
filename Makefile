# Every command prepares what it needs by itself; `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

export PYTHONPATH := $(CURDIR):$(CURDIR)/client
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test fuzz lint format bench docs browser clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## the virtual environment with everything in it

$(READY): constraints.txt pyproject.toml client/pyproject.toml
	@echo "setting up $(VENV) (several GB of torch the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
		--constraint constraints.txt --requirement pyproject.toml --extra local --extra otel --extra dev \
		--editable client
	@touch $(READY)

demo: $(READY) ## tune a prompt on a real model and watch it (ARGS=--once: then stop)
	@$(BIN)/python -m benchmarks.demo $(ARGS)

serve: $(READY) ## the service and its dashboard (ARGS="--port 8000 --data data")
	@$(BIN)/python -m app $(ARGS)

test: $(READY) browser lint ## everything: style, types, all tests, a real browser
	@$(BIN)/python -m pytest -m "not alone and not long" --numprocesses 3 --dist loadfile \
		--no-loadscope-reorder $(ARGS)
	@$(if $(ARGS),:,$(BIN)/python -m pytest -m alone tests/test_latency.py tests/web/test_many_generations.py)

fuzz: $(READY) ## every boundary of every field of the API: some 20,000 requests, minutes
	@$(BIN)/python -m pytest -m long $(ARGS)

lint: $(READY) ## style and types
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@DENO_NO_UPDATE_CHECK=1 $(BIN)/deno check --quiet --config web/jsconfig.json web/static/*.js
	@$(BIN)/hadolint Dockerfile

format: $(READY) ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

bench: $(READY) ## accuracy and speed, into benchmarks/results (ARGS="--data DIR")
	@$(BIN)/python -m benchmarks.run $(ARGS)

docs: $(READY) browser ## screenshots of every page into docs/
	@$(BIN)/python -m docs.screenshots $(ARGS)

browser: $(READY)
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "no browser found: installing Debian's chromium"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
		echo "no browser found: installing playwright's own chromium"; \
		$(BIN)/playwright install chromium; \
	fi

clean: ## forget the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

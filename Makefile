# `make demo` shows the product, `make test` proves it. Both set up what they need inside of the repository.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup servers build demo test check lint bench clean

PIPECTL := target/debug/pipectl
# cargo reads lambda-src/.cargo, with its target folder, only from within.
LAMBDA := cd lambda-src && cargo
# Runs a command and prints how long it took.
TIMED := scripts/timed.sh

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | column -t -s $$'\t'

setup: ## Install what is missing into .venv
	@scripts/setup.sh

servers: ## Install MariaDB and faketime for the tests, where that is allowed
	@scripts/setup-servers.sh

build: setup ## Build pipectl
	@cargo build --quiet --locked

demo: build ## Deploy the reference pipeline to an account on this machine, run it, show the marts
	@scripts/demo.sh $(PIPECTL)

lint: build ## Format, clippy, ruff, words, cfn-lint, security scanners
	cargo fmt --all --check
	@$(TIMED) clippy cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(LAMBDA) fmt --check
	@$(TIMED) "clippy of the Lambdas" bash -c "$(LAMBDA) clippy --quiet --locked --all-targets -- -D warnings"
	.venv/bin/ruff check glue-src scripts tests benches
	.venv/bin/ruff format --check glue-src scripts tests benches
	.venv/bin/python scripts/lint-words.py
	@$(TIMED) cfn-lint scripts/lint-templates.sh
	@$(TIMED) scanners scripts/scan.sh

check: build ## Format, clippy, unit tests without Spark, MariaDB and whole rehearsals
	cargo fmt --all --check
	.venv/bin/python scripts/lint-words.py
	@$(TIMED) clippy cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	@export PIPECTL_SKIP="$${PIPECTL_SKIP-mariadb,root}"; $(TIMED) "unit tests" cargo test --quiet --locked --workspace --lib -- --skip command::rehearse::tests
	@$(TIMED) "tests of the Lambdas" bash -c "$(LAMBDA) test --quiet --locked --lib"
	@$(TIMED) "tests of the jobs" bash -c "cd glue-src && ../.venv/bin/python -m pytest -q tests/test_contract.py"

test: servers lint ## Run all tests
	@$(TIMED) "tests of the Lambdas" bash -c "$(LAMBDA) test --quiet --locked"
	@$(TIMED) "tests of the jobs" bash -c "cd glue-src && PIPECTL_GLUE_CACHE=../.pipectl/spark ../.venv/bin/python -m pytest -q"
	@$(TIMED) package $(PIPECTL) package --env local
	@$(TIMED) "tests of pipectl" cargo test --quiet --locked --workspace
	@$(TIMED) "tests at other dates" scripts/test-clock.sh short
	@$(TIMED) ministack .venv/bin/python scripts/test_ministack.py $(PIPECTL)

bench: setup ## Measure, and print the table of docs/performance.md
	@cargo build --quiet --locked --release
	@target/release/pipectl package --env local >/dev/null
	@.venv/bin/python benches/run.py

clean: ## Remove what was built and the local account
	rm -rf target .venv .pipectl

# `make demo` shows the product, `make test` proves it. Both set up what they need inside of the repository.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup servers build demo test lint bench clean

PIPECTL := target/debug/pipectl
# cargo reads lambda-src/.cargo, with its target folder, only from within.
LAMBDA := cd lambda-src && cargo

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | column -t -s $$'\t'

setup: ## Install what is missing into .venv
	@scripts/setup.sh

servers: ## Install MariaDB for the tests, where that is allowed
	@scripts/setup-servers.sh

build: setup ## Build pipectl
	@cargo build --quiet --locked

demo: build ## Deploy the reference pipeline to an account on this machine, run it, show the marts
	@scripts/demo.sh $(PIPECTL)

lint: build ## Format, clippy, ruff, cfn-lint
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(LAMBDA) fmt --check
	$(LAMBDA) clippy --quiet --locked --all-targets -- -D warnings
	.venv/bin/ruff check glue-src scripts tests benches
	.venv/bin/ruff format --check glue-src scripts tests benches
	scripts/lint-templates.sh

test: servers lint ## Run all tests
	$(LAMBDA) test --quiet --locked
	cd glue-src && PIPECTL_GLUE_CACHE=../.pipectl/spark ../.venv/bin/python -m pytest -q
	$(PIPECTL) package --env local
	cargo test --quiet --locked --workspace
	.venv/bin/python scripts/test_ministack.py $(PIPECTL)

bench: setup ## Measure, and print the table of docs/performance.md
	@cargo build --quiet --locked --release
	@target/release/pipectl package --env local >/dev/null
	@.venv/bin/python benches/run.py

clean: ## Remove what was built and the local account
	rm -rf target .venv .pipectl

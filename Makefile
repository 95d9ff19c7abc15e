# Each target does its own set-up: a virtual environment from the lock file, then system packages.
VENV ?= .venv
BIN := $(VENV)/bin
STAGE := @scripts/stage
# Tests with guests wait as much as they compute, so two of them run at the same time; one needs at most two cores and 4 GiB.
WORKERS ?= 2
# Unit tests wait for processes about half of the time.
UNIT_WORKERS ?= $(shell echo $$((2 * $$(nproc))))
GUESTS = $(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder
ROUNDS ?= 64
SCENARIO ?= $(notdir $(patsubst %/,%,$(dir $(wildcard molecule/*/molecule.yml))))
SUBMAKE := $(MAKE) --no-print-directory

# Recreate the environment if its Python was removed by an upgrade.
$(shell test ! -e $(VENV) || $(BIN)/python -c "" 2>/dev/null || rm -f $(VENV)/.run $(VENV)/.dev)

# Ansible requires UTF-8, and compilers must print the English messages that we parse.
export LC_ALL := C.UTF-8

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit e2e soak molecule bench release setup setup-dev packages lock collection

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r target text; do printf '  make %-10s %s\n' "$$target" "$$text"; done

demo: setup ## build a kernel, run its selftests and KUnit in guests, compare with the stored baseline
	@$(BIN)/kdevops run labs/demo.yaml

test: ## run everything that CI checks: lint, unit, e2e
	$(STAGE) set-up $(SUBMAKE) setup-dev
	$(STAGE) lint $(SUBMAKE) lint
	$(STAGE) "unit tests" $(SUBMAKE) unit
	$(STAGE) "tests with real guests" $(SUBMAKE) e2e

lint: $(VENV)/.dev ## check style, types, import rules and roles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH="$(abspath $(BIN)):$$PATH" ansible-lint --offline

unit: setup-dev ## run the tests that do not boot guests
	$(BIN)/pytest -n $(UNIT_WORKERS) -m "not e2e" --cov --cov-report=
	@scripts/coverage-floor $(BIN)/coverage

e2e: setup-dev ## run the tests with a real kernel in real guests
	$(GUESTS) -m "e2e and not soak" --durations=25 tests/e2e tests/terraform tests/faults

soak: setup-dev ## run tests for hours: ROUNDS=64 rounds of random faults, starting with SEED=…, and all other long tests
	$(if $(SEED),KDEVOPS_FAULTS_SEED=$(SEED)) KDEVOPS_FAULTS_ROUNDS=$(ROUNDS) $(GUESTS) -m soak tests/faults tests

molecule: setup-dev ## apply roles to guests, twice and in check mode, and verify the result; SCENARIO=devconfig for one
	$(foreach scenario,$(SCENARIO),PATH="$(abspath $(BIN)):$$PATH" molecule -c molecule/shared/base.yml test -s $(scenario) &&) true

bench: setup-dev ## compare the speed with doing the same manually
	$(BIN)/python tests/bench

release: $(VENV)/.dev ## build wheel, source, Ansible collection and checksums in dist/ for the tag at HEAD
	VENV=$(abspath $(VENV)) scripts/release $(RELEASE)

setup: $(VENV)/.run packages ## create the virtual environment and install missing system packages

setup-dev: $(VENV)/.dev packages ## the same, including what the tests need
	@scripts/postgresql

packages: | $(VENV)/.run
	@$(BIN)/kdevops doctor --packages --install

collection: $(VENV)/.run ## build the Ansible collection, dist/kdevops-kdevops-VERSION.tar.gz
	scripts/collection dist

lock: $(VENV)/.dev ## update the lock files; with UPGRADE=--upgrade to newer versions
	PATH="$(abspath $(BIN)):$$PATH" scripts/lock $(UPGRADE)

# The development set contains the other one, so an environment that has it keeps it.
$(VENV)/.run: requirements.lock pyproject.toml scripts/venv
	@test -e $(VENV)/.dev && lock=requirements-dev.lock || lock=$<; scripts/venv $(VENV) $$lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml scripts/venv
	@scripts/venv $(VENV) $<
	@touch $(VENV)/.run $@

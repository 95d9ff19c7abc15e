# Each target does all of its own set-up: a virtual environment from the lock file, then the system's packages.
VENV ?= .venv
BIN := $(VENV)/bin
STAGE := @scripts/stage
# Tests with guests wait as much as they compute, so two of them go beside each other; one wants two cores and 4 GiB at most.
WORKERS ?= 2
GUESTS = $(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder
ROUNDS ?= 64
SCENARIO ?= $(notdir $(patsubst %/,%,$(dir $(wildcard molecule/*/molecule.yml))))
SUBMAKE := $(MAKE) --no-print-directory

# An environment whose Python was upgraded away is made anew.
$(shell test ! -e $(VENV) || $(BIN)/python -c "" 2>/dev/null || rm -f $(VENV)/.run $(VENV)/.dev)

# Ansible refuses any other encoding, and compilers speak the language that we read.
export LC_ALL := C.UTF-8

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit e2e soak molecule bench release setup setup-dev packages lock collection

help: ## what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r target text; do printf '  make %-10s %s\n' "$$target" "$$text"; done

demo: setup ## build a kernel, run its selftests and KUnit in guests, compare with the stored baseline
	@$(BIN)/kdevops run labs/demo.yaml

test: ## everything that CI checks: lint, unit, e2e
	$(STAGE) set-up $(SUBMAKE) setup-dev
	$(STAGE) lint $(SUBMAKE) lint
	$(STAGE) "unit tests" $(SUBMAKE) unit
	$(STAGE) "tests with real guests" $(SUBMAKE) e2e

lint: $(VENV)/.dev ## style, types, direction of imports, roles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH="$(abspath $(BIN)):$$PATH" ansible-lint --offline

unit: setup-dev ## tests that boot nothing
	$(BIN)/pytest -n auto -m "not e2e" --cov --cov-report=
	@scripts/coverage-floor $(BIN)/coverage

e2e: setup-dev ## tests with a real kernel in real guests
	$(GUESTS) -m "e2e and not soak" --durations=25 tests/e2e tests/terraform tests/faults

soak: setup-dev ## tests for hours: ROUNDS=64 rounds of random faults, from SEED=… on, and whatever else takes long
	$(if $(SEED),KDEVOPS_FAULTS_SEED=$(SEED)) KDEVOPS_FAULTS_ROUNDS=$(ROUNDS) $(GUESTS) -m soak tests/faults tests

molecule: setup-dev ## apply roles to guests: twice, in check mode, and look at what came of it; SCENARIO=devconfig for one
	$(foreach scenario,$(SCENARIO),PATH="$(abspath $(BIN)):$$PATH" molecule -c molecule/shared/base.yml test -s $(scenario) &&) true

bench: setup-dev ## measure against doing it by hand
	$(BIN)/python tests/bench

release: $(VENV)/.dev ## wheel, source, Ansible collection and checksums in dist/, of the tag that HEAD has
	VENV=$(abspath $(VENV)) scripts/release $(RELEASE)

setup: $(VENV)/.run packages ## the virtual environment, and what the system lacks

setup-dev: $(VENV)/.dev packages ## the same, with what the tests need

packages: | $(VENV)/.run
	@$(BIN)/kdevops doctor --packages --install

collection: $(VENV)/.run ## the Ansible collection, as dist/kdevops-kdevops-VERSION.tar.gz
	scripts/collection dist

lock: $(VENV)/.dev ## make the lock files anew; with UPGRADE=--upgrade to newer versions
	PATH="$(abspath $(BIN)):$$PATH" scripts/lock $(UPGRADE)

# The development set contains the other one, so whoever has it is not set back.
$(VENV)/.run: requirements.lock pyproject.toml scripts/venv
	@test -e $(VENV)/.dev && lock=requirements-dev.lock || lock=$<; scripts/venv $(VENV) $$lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml scripts/venv
	@scripts/venv $(VENV) $<
	@touch $(VENV)/.run $@

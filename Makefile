# Every target sets up what it needs: a machine with python3 (>= 3.11, venv), make and a package index is enough.
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
LOCK    := config/locks/dev.txt
PYTHON3 ?= python3
ARGS    ?=
PYTEST_WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-system check fmt test-matrix simulate mutants kill load campaign bench storm fuzz openapi lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## one virtual environment with the locked dependencies

# --no-deps: the lock is complete, and leaves out on purpose what caldav's metadata asks for (docs/decisions/0002).
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON3) -c 'import sys; sys.exit("python3 >= 3.11 is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON3) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## both directions on a real Radicale and the sandbox; ARGS="--once --json"
	@$(BIN)/rdv-gateway demo $(ARGS)

test: $(STAMP) ## all tests that the package index can feed
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) -m "not system" $(ARGS)

test-system: $(STAMP) ## tests that need Debian or npm packages, which this installs
	tests/system/run $(ARGS)

check: $(STAMP) ## lint, format, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fmt: $(STAMP) ## format and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

simulate: $(STAMP) ## long campaign: thousands of simulated histories; ARGS="--seeds 20000 --until-covered 100"
	$(BIN)/python -m tests.simulation --table $(ARGS)

mutants: $(STAMP) ## every mistake put into the sync code breaks a promise of the simulation
	$(BIN)/python -m tests.simulation --mutants $(ARGS)

test-matrix: $(STAMP) ## long: the contract and the scenarios with every server, trait and database; ARGS="-k sogo"
	TEST_MATRIX=1 $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --timeout 120 \
	  tests/contract/test_caldav_traits.py tests/scenarios $(ARGS)

kill: $(STAMP) ## long: the real program killed at every boundary, on both databases; ARGS="-k sqlite"
	KILL_EVERY=1 $(BIN)/python -m pytest -s tests/kill $(ARGS)

bench: $(STAMP) ## statements and processor time per operation and per unchanged agent; ARGS="--agents 1000"
	$(BIN)/python -m tests.benchmarks $(ARGS)

campaign: $(STAMP) ## 1,200 agents go live on fast doubles, measured; ARGS="--agents 120 --json"
	$(BIN)/python -m tests.campaigns.departement $(ARGS)

storm: $(STAMP) ## 10,000 webhooks at once, with copies, disorder and delay, measured; ARGS="--deliveries 2000 --json"
	$(BIN)/python -m tests.webhooks.storm $(ARGS)

load: $(STAMP) ## long: `serve` with 2,000 agents on fast doubles, a server away and back; ARGS="--agents 500 --minutes 3"
	$(BIN)/python -m tests.campaigns.serve $(ARGS)

openapi: $(STAMP) ## the description of the API, from its code, into docs/openapi.json
	@$(BIN)/python -m gateway.api.openapi > docs/openapi.json

fuzz: $(STAMP) ## ten minutes of calendar files changed at random; ARGS="--seconds 60"
	$(BIN)/python -m tests.mappings.fuzz $(ARGS)

lock: $(STAMP) ## resolve the dependencies again (uv comes from the package index, into its own environment)
	@test -x $(VENV)-lock/bin/uv || ($(PYTHON3) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv)
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links --override config/locks/overrides.txt \
	  --extra sandbox --group dev pyproject.toml --output-file $(LOCK)
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links --constraint $(LOCK) --group system --output-file config/locks/system.txt

clean: ## remove what the targets made
	rm -rf $(VENV) $(VENV)-lock .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

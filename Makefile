# Every target prepares what it needs: on a fresh machine `make run` and `make test` are enough.
# Needs: make, Python 3.11 or newer with venv. Uses uv where it is installed, pip where it is not.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
ARGS ?=
# Half of the tests' time is waiting for real processes and sockets: more than there are cores.
WORKERS ?= 4
SEEDS ?= 5000
KILLS ?= 20000

.PHONY: install run test check bench bench-peers soak docs lock clean screenshots

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d; set PYTHON=" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@$(BIN)/python -m compileall -q core exchanges sentiment tui
	@touch $(STAMP)

run: install  ## open the terminal on a practice desk
	@$(BIN)/killcord --env practice $(ARGS)

test: install  ## all tests, a few minutes
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: install  ## lint, types, import contracts, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: install  ## speed and size, as medians and ratios
	@$(BIN)/python -m tests.bench $(ARGS)

bench-peers: install  ## the same work in other backtesters; installs each under ~/.cache, minutes
	@$(BIN)/python -m tests.bench.peers $(ARGS)

soak: install  ## long runs: simulated worlds (SEEDS=), kill -9s (KILLS=) and all slow tests
	@$(BIN)/python -m tests.simulation --count $(SEEDS)
	@KILLS=$(KILLS) $(BIN)/pytest -m soak -n 0 --timeout 0 $(ARGS)

docs: install  ## rewrite the pages that are made from the code
	@$(BIN)/python -m tests.docs

screenshots: install  ## take the pictures of README and docs anew (a minute)
	@$(BIN)/python -m tests.screenshots

lock:  ## pin the newest allowed versions with hashes (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header \
	  --universal --python-version 3.11 --upgrade -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

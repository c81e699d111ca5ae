# make run    serve the site here, on the embedded default; needs Python 3.11
# make test   every test; needs Node 20 as well
# make lint   formatting, style, types, layers, migrations, production settings
# make bench  the benchmark against the reference server; needs Node 20
# make drill  the fault tests at full length
#
# ARGS is passed on: make test ARGS="-k drain", make run ARGS="--port 9000"
# JOBS is how many tests run at once: much of their time they wait; make test JOBS=0 for one process

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
NODE_STAMP := tests/e2e/node_modules/.installed
ARGS ?=
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.PHONY: run test lint bench drill

run: $(VENV)/.runtime
	@exec $(BIN)/python manage.py serve $(ARGS)

test: $(VENV)/.development $(NODE_STAMP)
	$(BIN)/python -m pytest --numprocesses $(JOBS) $(ARGS)

drill: $(VENV)/.development $(NODE_STAMP)
	$(BIN)/python -m pytest --drill $(ARGS)

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run --settings tests.settings
	./.ci/check-production $(BIN)/python

# a stamp is younger than what it stands for: changed requirements are installed at the next call
$(VENV)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 is needed" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	$(PIP) install -r requirements-dev.txt
	@touch $@

$(NODE_STAMP): tests/e2e/package-lock.json tests/e2e/package.json $(VENV)/.development
	$(BIN)/python -m tests.e2e.node_clients --install

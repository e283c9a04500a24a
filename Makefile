# One obvious command for everything; `make check test` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The machine's certificates, as pip takes them: a company's own registry or proxy may need them.
export UV_SYSTEM_CERTS := true
# Without bytecode every command and every Lambda compiles its libraries anew, for a second or two.
unexport PYTHONDONTWRITEBYTECODE
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.PHONY: setup demo test coverage check format up down bench simulate-load schemas lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15

$(READY): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name it with make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(READY) ## build .venv from the lock file

demo: $(READY) ## the main job on the embedded AWS, from an empty stack to balances; ends by itself
	@$(BIN)/python -m demo

test: $(READY) ## every test
	@$(BIN)/python -m pytest -n auto --no-loadscope-reorder

coverage: $(READY) ## how much of the code the tests without an embedded AWS run
	@$(BIN)/python -m pytest -n auto --no-loadscope-reorder --cov --cov-report=term:skip-covered \
		--ignore=tests/e2e --ignore=tests/property

check: $(READY) ## lint, types, import directions, generated files up to date; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m falcon_balances.contracts.schemas --check
	@$(BIN)/python -m reference --check

format: $(READY) ## let ruff write what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(READY) ## write the JSON Schemas, OpenAPI and its page from the contracts
	@$(BIN)/python -m falcon_balances.contracts.schemas
	@$(BIN)/python -m reference

up: $(READY) ## start the embedded AWS and deploy to it
	@$(BIN)/falcon local up --detach

down: $(READY) ## stop the embedded AWS
	@$(BIN)/falcon local down

bench: $(READY) ## measure, as a table and as JSON; on the embedded AWS too
	@$(BIN)/python -m bench core calls units spending mornings api audit imports --embedded

simulate-load: $(READY) ## a year at 12 messages a second and a peak of 20,000, in simulated time
	@$(BIN)/python -m simulation

lock: $(READY) ## resolve the dependencies anew into requirements/
	@$(LOCK) --extra dev pyproject.toml --output-file requirements/dev.txt
	@$(LOCK) --constraint requirements/dev.txt pyproject.toml --output-file requirements/lambda.txt
	@$(LOCK) --constraint requirements/dev.txt --group bootstrap --output-file requirements/bootstrap.txt

clean: ## remove what was built
	@rm -rf $(VENV) build cdk.out .falcon

# Two commands on a fresh machine with python3 and make: `make demo` and `make test`.
# Everything is installed into .venv from requirements.lock; nothing else is fetched.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export KERAS_BACKEND ?= tensorflow
export TF_CPP_MIN_LOG_LEVEL ?= 3
export MPLBACKEND ?= Agg
WORKERS ?= 2
TORCH ?= 2.13.0

.PHONY: demo test coverage test-slow test-backends check app notebooks notebook-runs index certificates lock clean help

help:
	@echo "make demo           train, question, explain and export the first CNN on embedded data; prints where the report is"
	@echo "make test           the fast suite on TensorFlow"
	@echo "make coverage       the fast suite again, and fails below 90 % of the lines of zoo/"
	@echo "make test-slow      the slow rows: real sizes, parity, exports, twenty kills"
	@echo "make test-backends  the contract on JAX and torch, and parity with torchvision, timm, Captum, pytorch-grad-cam"
	@echo "make check          lint, format, types, generated files, the wheel"
	@echo "make app            the Streamlit demos on 127.0.0.1"
	@echo "make notebooks      generate notebooks/ from projects/"
	@echo "make index          regenerate zoo/index.json, the table of families in the README, and docs/models.md"
	@echo "make certificates   compare every row with its references again, and write docs/certificates"
	@echo "make lock           resolve pyproject.toml into requirements.lock"

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Python 3.11, 3.12 or 3.13 is needed, this is {v[0]}.{v[1]}; run: make PYTHON=/path/to/python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	@touch $@

$(VENV)/.ready: $(VENV)/.uv requirements.lock pyproject.toml
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --editable .
	@touch $@

# CPU torch: pip finds a local wheel where one is offered, and the index's build of the same version elsewhere.
$(VENV)/.backends: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet torch==$(TORCH)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements-backends.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --requirement requirements-references.txt
	@touch $@

demo: $(VENV)/.ready
	$(BIN)/python -m projects.first_cnn --quick

test: $(VENV)/.ready
	$(BIN)/python -m pytest -m "not slow and not browser" -n $(WORKERS) --dist worksteal

# The same with the lines that were run; the tracer makes it slower, so it stands apart.
coverage: $(VENV)/.ready
	$(BIN)/python -m pytest -m "not slow and not browser" -n $(WORKERS) --dist worksteal --cov=zoo --cov-report=term-missing:skip-covered --cov-fail-under=90

test-slow: $(VENV)/.backends
	$(BIN)/python -m pytest -m "slow or browser" -n 1 --timeout 1800

test-backends: $(VENV)/.backends
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m "backend and not slow" -n $(WORKERS) --dist worksteal
	KERAS_BACKEND=torch $(BIN)/python -m pytest -m "backend and not slow" -n $(WORKERS) --dist worksteal

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.index --check
	$(BIN)/python -m tools.models_page --check
	$(BIN)/python -m tools.notebooks --check
	$(BIN)/python -m tools.wheel

app: $(VENV)/.ready
	$(BIN)/python -m zoo app

notebook-runs: $(VENV)/.ready
	$(BIN)/python -m tools.notebooks --execute first_cnn

notebooks: $(VENV)/.ready
	$(BIN)/python -m tools.notebooks

index: $(VENV)/.ready
	$(BIN)/python -m tools.index
	$(BIN)/python -m tools.models_page

# Every certificate again, one process per row; hours on two cores. `zoo verify NAME -o docs/certificates` makes one.
certificates: $(VENV)/.backends
	$(BIN)/python -m tools.certificates

lock: $(VENV)/.uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache

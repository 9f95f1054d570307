# Every target does its own set-up on a fresh machine; a second call installs nothing. `make` alone lists them.

PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# Processes that the tests are shared out to. More is not faster: a stage takes all cores.
WORKERS ?= 2
BENCHMARKS := $(sort $(wildcard tests/benchmarks/bench_*.py))

# Idle threads sleep instead of spinning, so that what shares the cores with them is not slowed down.
export OMP_WAIT_POLICY := PASSIVE
# What is compiled is kept, wherever that was forbidden: a process that imports PyTorch takes three times as long without.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install run test check bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## set up .venv with the exact versions of constraints.txt

run: $(INSTALLED) ## run the smallest real grid, jobs/quickstart.yaml
	$(BIN)/farm run jobs/quickstart.yaml

# xdist waits for ever for a crashed process's last test: so a crash ends it all, with the test's name.
test: $(INSTALLED) ## run every test that this machine can run; the pure core must be covered whole
	$(BIN)/python -m pytest -n $(WORKERS) --max-worker-restart=0 -m 'not ray and not alone' --durations=25 --cov --cov-report=
	$(BIN)/python -m pytest -m 'ray or alone' --durations=25
	$(BIN)/coverage report --fail-under=100

check: $(INSTALLED) ## check format, style, imports and types
	@echo '== format: ruff format --check' && $(BIN)/ruff format --check
	@echo '== style: ruff check' && $(BIN)/ruff check
	@echo '== imports: lint-imports' && $(BIN)/lint-imports
	@echo '== types: mypy' && $(BIN)/mypy

bench: $(INSTALLED) ## run the performance scripts of tests/benchmarks, one after another
	@for script in $(BENCHMARKS); do echo "== $$script" && $(BIN)/python "$$script" || exit 1; done

clean: ## remove .venv and what tools leave behind; results stay
	rm -rf $(VENV) .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info

# The stamp comes last: an install that failed, or was interrupted, is done again. PIP_CONSTRAINT reaches what pip
# builds on the side as well; farm's own build backend is pinned in pyproject.toml. What farm imports is compiled now;
# most of the other 14,000 modules are never imported.
$(INSTALLED): pyproject.toml constraints.txt
	@rm -f $(INSTALLED)
	@command -v '$(PYTHON)' > /dev/null || \
		{ echo "no $(PYTHON) here: install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$('$(PYTHON)' --version) is too old: farm needs 3.11 or newer; say make PYTHON=python3.11" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments: install python3-venv" >&2; exit 1; }
	'$(PYTHON)' -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --disable-pip-version-check --no-compile \
		-c constraints.txt -e '.[dev]'
	@echo 'compiling what farm imports'
	@$(BIN)/python -W ignore -c 'import farm.engine.ray, farm.stages, torchvision; from farm.engine.spawn import server; server.preload()'
	@touch $(INSTALLED)

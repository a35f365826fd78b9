# make demo    a first network, from nothing: an environment in .venv, results in demo/
# make test    checks and tests, in a quarter of an hour
# make test-thorough   the tests that take minutes each, an hour in all; CI leaves out the exhaustive ones
#                  (THOROUGH="thorough and not exhaustive")
# make test-cuda   compiles networks and models for a GPU, and a model with brian2cuda (minutes), which has an
#                  environment of its own: .venv-cuda
# make test-lava   Lava's tests on Python 3.10, the one that it declares (.venv-lava), where there is one;
#                  CI leaves out those that take a minute (LAVA_FLAGS)
# make test-brian2  Brian2's own tests on the device `neuroglia`
# make docs    the site, in build/site; without a warning
# make format  mend what `make test` says about formatting
#
# Another Python than python3:  make PYTHON=python3.12 demo

PYTHON ?= python3
PYTEST_FLAGS ?=
DEMO = neuroglia run noise_induced_memory --control --out demo --force

BIN = .venv/bin
READY = .venv/ready
TESTED = .venv/tested
DOCUMENTED = .venv/documented

.PHONY: setup demo test test-thorough test-cuda test-lava test-brian2 docs format wheel clean

setup: $(READY)
	@:

# An environment that was cut off halfway has no pip: it is made anew.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo '$(PYTHON) is not Python 3.10 or newer: say which is, make PYTHON=...' >&2; exit 1; }
	@echo 'Installing into .venv (a minute or two) ...'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $(READY)

# lava-nc declares Python 3.10 alone, but runs on newer ones: docs/howto/lava.md
$(TESTED): $(READY)
	@echo 'Installing what the tests need (PyTorch and nvcc among it) ...'
	@$(BIN)/python -m pip install --quiet --editable '.[nvcc,sanafe,sweep,test,torch]'
	@$(BIN)/python -m pip install --quiet --ignore-requires-python --no-deps lava-nc==0.10.0 asteval
	@touch $(TESTED)

demo: $(READY)
	@$(BIN)/$(DEMO)

# What tests compile is kept by its content, so that the next run, and the thorough tests after the quick
# ones, do not compile it again.
test test-thorough test-cuda test-lava: export NEUROGLIA_CACHE ?= $(CURDIR)/build/tests

test: $(TESTED)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: make format' >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/pytest -q -n 2 --dist worksteal $(PYTEST_FLAGS)

THOROUGH ?= thorough or exhaustive
test-thorough: $(TESTED)
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "$(THOROUGH)" $(PYTEST_FLAGS)

# brian2cuda pins a Brian2 of its own.
test-cuda: $(TESTED)
	@$(BIN)/pytest -q -m cuda tests/program/test_cuda.py $(PYTEST_FLAGS)
	@test -x .venv-cuda/bin/pip || $(PYTHON) -m venv --clear .venv-cuda
	@.venv-cuda/bin/python -m pip install --quiet --upgrade pip
	@.venv-cuda/bin/python -m pip install --quiet --editable '.[cuda,test]'
	@.venv-cuda/bin/pytest -q tests/unit/test_cuda.py tests/unit/test_cuda_patches.py $(PYTEST_FLAGS)

PYTHON310 ?= $(firstword $(wildcard $(shell pyenv root 2>/dev/null)/versions/3.10*/bin/python) \
  $(shell python3.10 -c 'import sys; print(sys.executable)' 2>/dev/null))
LAVA_FLAGS ?=
test-lava:
ifeq ($(PYTHON310),)
	@echo 'no Python 3.10 here: the set-up that Lava declares is not tested'
else
	@test -x .venv-lava/bin/pip || $(PYTHON310) -m venv --clear .venv-lava
	@.venv-lava/bin/python -m pip install --quiet --upgrade pip
	@.venv-lava/bin/python -m pip install --quiet --editable '.[lava,test]'
	@.venv-lava/bin/pytest -q -n 2 --dist worksteal tests/conformance/test_lava*.py \
	  tests/unit/test_lava_compat.py $(LAVA_FLAGS) $(PYTEST_FLAGS)
endif

# Brian2's own tests, as they lie in its wheel, on our device (half an hour).
test-brian2: $(TESTED)
	@$(BIN)/python tests/program/brian2_suite.py $(PYTEST_FLAGS)

$(DOCUMENTED): $(READY)
	@echo 'Installing what the site needs ...'
	@$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $(DOCUMENTED)

# Reads no network; a page that links nowhere, or a name that is not there, ends it.
docs: $(DOCUMENTED)
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky docs build/site
	@echo 'build/site/index.html'

format: $(TESTED)
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

wheel: $(TESTED)
	@$(BIN)/python -m build --no-isolation --outdir dist .

clean:
	@rm -rf .venv .venv-cuda .venv-lava build demo dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find neuroglia_snn tests -name __pycache__ -type d -prune -exec rm -rf {} +

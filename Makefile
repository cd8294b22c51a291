# The doors of the house. `make` alone lists them; CONTRIBUTING.md says when to use which.
#
# Everything runs in .venv, which is created once. A stamp file beside each set of dependencies says that it is
# installed, so a second run starts at once; a changed pyproject.toml installs again.

PYTHON ?= python3
VENV := .venv
# The job frameworks of tests/frameworks, which ask for different versions of redis-py: one environment for each.
FRAMEWORKS := .venv-frameworks
ENVIRONMENTS := $(basename $(notdir $(wildcard tests/frameworks/environments/*.txt)))
# The documentation's site, whose packages the server does not need.
SITE := .venv-site
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
# Options for the command behind a target: make serve ARGS="--memory", make test ARGS="-k journal"
ARGS ?=
# Processes that share the tests, a file at a time; 0 runs them in this one, for a debugger or `-x`.
WORKERS ?= 2
PYTEST := $(PY) -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# Some images switch bytecode off: then each of the hundreds of servers that the tests start would compile all modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test frameworks quick check style types layers format docs site wheel bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  ARGS=… is handed on (make serve ARGS=--memory); PYTHON=… chooses the interpreter (now $(PYTHON))"

serve: $(VENV)/.stamp-serve ## install into .venv and run a server on the defaults
	$(VENV)/bin/spoold serve $(ARGS)

test: $(VENV)/.stamp-test frameworks ## install what the tests need and run all of them
	$(PYTEST) $(ARGS)

frameworks: $(ENVIRONMENTS:%=$(FRAMEWORKS)/%/.stamp) ## install the job frameworks that tests/frameworks runs on spoold

quick: $(VENV)/.stamp-test ## run the tests that take no more than a few seconds
	$(PYTEST) -m "not slow" $(ARGS)

check: style types layers test ## everything that must hold before a change lands; the same in CI

style: $(VENV)/.stamp-dev ## only the format and the lint rules
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: $(VENV)/.stamp-dev ## only the types
	$(PY) -m mypy

layers: $(VENV)/.stamp-test ## only the rules of the house: layers, docstrings, file sizes
	$(PY) -m pytest -q tests/architecture

format: $(VENV)/.stamp-dev ## format the source and mend what ruff can mend
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

docs: $(VENV)/.stamp-serve ## write the pages of docs/ that derive from the program: commands, settings
	$(VENV)/bin/spoold docs docs

site: $(SITE)/.stamp ## build the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/python -m mkdocs build --quiet --strict

wheel: ## build the wheel, install it into a fresh environment, and serve from there
	PYTHON=$(PYTHON) packaging/check-wheel.sh

bench: $(VENV)/.stamp-test ## compare speed with the redis-server of this machine
	$(PY) bench/compare.py $(ARGS)

clean: ## remove .venv and its like, caches and builds; data directories stay
	rm -rf $(VENV) $(FRAMEWORKS) $(SITE) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(wildcard src tests bench) -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "spoold needs Python 3.11 or later, and there is no $(PYTHON) here: install it, or name one with PYTHON=…" >&2; \
	  exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { \
	  echo "spoold needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1): name another with PYTHON=python3.12" >&2; \
	  exit 1; }
	@{ $(PY) -c '$(NEW_ENOUGH)' && $(PY) -m pip --version; } >/dev/null 2>&1 || \
	  $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "no virtual environment could be made; on Debian and Ubuntu the package python3-venv is needed" >&2; \
	  exit 1; }
	@touch $@

$(VENV)/.stamp-serve: pyproject.toml $(VENV)/.stamp-venv
	$(PIP) --editable .
	@touch $@

$(VENV)/.stamp-test: pyproject.toml $(VENV)/.stamp-venv
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.stamp-serve

$(VENV)/.stamp-dev: pyproject.toml $(VENV)/.stamp-venv
	$(PIP) --editable '.[test,dev]'
	@touch $@ $(VENV)/.stamp-test $(VENV)/.stamp-serve

$(FRAMEWORKS)/%/.stamp: tests/frameworks/environments/%.txt $(VENV)/.stamp-venv
	$(PY) -m venv --clear $(FRAMEWORKS)/$*
	$(FRAMEWORKS)/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(SITE)/.stamp: packaging/site.txt $(VENV)/.stamp-venv
	$(PY) -m venv --clear $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

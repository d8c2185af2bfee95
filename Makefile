# Two commands matter: `make findings` and `make test`. Each starts from Python 3.11, pip and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first Python from 3.11 to 3.13 that has pip, looked up before .venv leads the PATH: that one has none.
PYTHON ?= $(or $(shell for one in $$(type -ap python3.11 python3); do \
	"$$one" -c 'import pip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$one" && break; done),python3)
PYTHON := $(PYTHON)
UV := .setup/bin/uv
KERNEL := .venv/share/jupyter/kernels/leap/kernel.json
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help findings test lab setup setup-dev browser repro nbval requirements bench bench-acro lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

findings: setup ## set up, make the pretend LEAP, run the whole pipeline, tell where the findings are
	@[ -d data/extracts ] || leap-eval demo
	@leap-eval check data
	dvc repro
	@echo
	@echo "The findings:"
	@for page in release/findings-*.html; do echo "  file://$(CURDIR)/$$page"; done

test: setup-dev browser ## set up and pass every test
	@[ -d data/extracts ] || leap-eval demo
	@leap-eval check data
	dvc repro
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	pytest
	python tools/requirements.py

lab: setup ## open JupyterLab on the start page: what is stale, what ran, the eight notebooks
	@leap-eval status
	jupyter lab --config=jupyter/jupyter_server_config.py work/desk/start.md

repro: setup ## bring every result up to date
	dvc repro

nbval: setup-dev ## re-run the executed notebooks and compare their outputs
	LEAP_PROGRESS=/dev/null pytest --nbval work/notebooks

requirements: setup-dev ## docs/requirements.md from the marks and the last run of the tests
	python tools/requirements.py

bench: setup-dev ## a short benchmark of each part, after make findings; one JSON line each
	python benchmarks/style.py
	python benchmarks/linkage_leap.py
	python benchmarks/effects.py --worlds 3 --no-scan
	python benchmarks/disclosure.py --presets --covert --programmes 10
	python benchmarks/findings.py

bench-acro: setup-dev ## the gate beside ACRO, in an environment of its own: make bench-acro DATA=folder
	$(PYTHON) -m venv .setup/acro && .setup/acro/bin/pip install --quiet acro==1.0.2
	python benchmarks/disclosure.py --acro --data $(DATA) --peer-python .setup/acro/bin/python

setup: .venv/.ready $(KERNEL) ## install what the pipeline needs
setup-dev: .venv/.ready-dev $(KERNEL) ## install what the tests need, too

# The kernels of the desk and of nbval hold settings of the code: another code, other kernels.
$(KERNEL): src/leap_eval/pipeline/kernel.py src/leap_eval/pipeline/stages.py
	@.venv/bin/leap-eval kernel >/dev/null
	@touch $@

.setup/bin/uv: requirements-setup.lock
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target .setup --require-hashes -r $<
	@touch $@

.venv/bin/python: | .setup/bin/uv
	$(UV) venv --quiet --python $(PYTHON) .venv

# uv does the 220 packages in seconds; pip is the fallback where uv cannot reach the index.
define install
	$(UV) pip install --quiet --require-hashes --compile-bytecode -r $(1) \
		|| $(PYTHON) -m pip --python .venv/bin/python install --quiet --require-hashes -r $(1)
	$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@mkdir -p .venv/share/jupyter/lab/settings && cp jupyter/overrides.json .venv/share/jupyter/lab/settings/
	@umask 077; mkdir -p .dvc .leap data work results; chmod 700 .dvc .leap data work results
endef

.venv/.ready: requirements.lock pyproject.toml jupyter/overrides.json | .venv/bin/python
	$(call install,requirements.lock)
	@touch $@

.venv/.ready-dev: requirements-dev.lock pyproject.toml jupyter/overrides.json | .venv/bin/python
	$(call install,requirements-dev.lock)
	@if [ -d .git ]; then git config filter.nbstripout.clean "$(CURDIR)/.venv/bin/nbstripout --keep-id"; fi
	@touch $@ .venv/.ready

# Chromium and Node serve the browser tests alone; without them those tests are skipped, in CI they fail.
browser:
	@missing=$$(for one in chromium node:nodejs npm; do command -v "$${one%%:*}" >/dev/null || echo "$${one##*:}"; done); \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
		else echo "for the browser tests: sudo apt-get install" $$missing; fi; fi
	@if command -v npm >/dev/null && [ -f tests/browser/package-lock.json ] && [ ! -d tests/browser/node_modules ]; then \
		npm ci --prefix tests/browser --silent --no-audit --no-fund; fi

lock: .setup/bin/uv ## compile the locks anew
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-strip-extras pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-strip-extras --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean: ## remove everything that can be made again
	rm -rf data work results release truth build .leap

# The way in. Every target sets up what it needs: the tools live in .venv, which is made anew
# whenever the pinned requirements or the system's Python change.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The interpreter that the one file is compiled for and started by (make zipapp PYTHON=...).
PYTHON := $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3))

PINS  := $(shell { readlink -f "$$(command -v python3)"; cat requirements/dev.txt; } | cksum | tr ' ' -)
VENV  := .venv/made-for-$(PINS)
RUN   := .venv/bin/python

.PHONY: help run test lint types unit property sim foreign fleet golden build-tests test-pythons \
        zipapp man completions bench bench-scale docs fuzz clean venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: zipapp man ## boot three nodes with hirte on each and show them at work (root)
	@$(RUN) packaging/preflight.py fleet
	@$(RUN) -m tests.bed.demo

test: $(VENV) ## all checks and tests, with one summary (root)
	@$(RUN) packaging/check.py

lint: $(VENV) ## style and likely bugs (ruff)
	@$(RUN) packaging/check.py lint

types: $(VENV) ## static types (mypy --strict)
	@$(RUN) packaging/check.py types

unit: $(VENV) ## unit tests
	@$(RUN) packaging/check.py unit

property: $(VENV) ## property tests, with the same examples every time
	@$(RUN) packaging/check.py property

sim: $(VENV) ## simulator tests: manager and agents under a virtual clock
	@$(RUN) packaging/check.py sim

foreign: zipapp ## tests against other people's D-Bus implementations
	@$(RUN) packaging/check.py foreign

fleet: zipapp ## tests on booted systemd nodes (root)
	@$(RUN) packaging/check.py fleet

golden: zipapp ## write anew what hirte ctl should print, from what it prints (root)
	@GOLDEN=write $(RUN) -m pytest --quiet tests/fleet/test_ctl_golden.py
	@git diff --stat tests/fleet/golden

build-tests: zipapp ## tests of the one file: reproducible, runs anywhere
	@$(RUN) packaging/check.py build

test-pythons: $(VENV) ## unit and property tests under the oldest and newest Python found here
	@$(RUN) packaging/check.py pythons

zipapp: $(VENV) ## build the one file, dist/hirte (PYTHON=... selects its interpreter)
	@$(RUN) packaging/onefile.py --python "$(PYTHON)" --output dist/hirte

man: $(VENV) ## build the manual pages, dist/man
	@$(RUN) packaging/manpages.py dist/man

completions: $(VENV) ## write the completion of bash, zsh and fish, dist/completions
	@$(RUN) packaging/completions.py dist/completions

bench: zipapp ## measure against the floor and print the table (root; ROWS="jobs burst")
	@$(RUN) packaging/preflight.py fleet
	@$(RUN) -m bench $(ROWS)

bench-scale: zipapp ## measure the manager with 10, 100 and 1000 agents (root; ROWS=--quick)
	@$(RUN) packaging/preflight.py fleet
	@$(RUN) -m bench.scale $(ROWS)

docs: $(VENV) ## write docs/api.md from the interface tables
	@$(RUN) packaging/apidocs.py

fuzz: $(VENV) ## property tests with many more, random examples
	@$(RUN) -m pytest --numprocesses=auto --hypothesis-profile=fuzz tests/property

clean: ## remove everything that was made here
	rm -rf .venv .venv-* build dist .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

venv: $(VENV)

$(VENV):
	@command -v python3 >/dev/null || { echo "python3 is missing: apt install python3 python3-venv" >&2; exit 1; }
	@python3 packaging/preflight.py venv
	@echo "setting up .venv"
	@rm -rf .venv
	@python3 -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--require-hashes -r requirements/dev.txt
	@touch $@

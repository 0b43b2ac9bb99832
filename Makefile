# All targets run as an ordinary user, keep scratch files below .work/ and .venv/, and never change the home directory.
.PHONY: help venv demo bench test coverage lint units sanity integration system molecule clean
.DEFAULT_GOAL := help

PYTHON = $(shell sh tests/find-python)
SUITES = .venv/bin/python tests/suites.py

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

.venv/made-from: tests/environments.py $(wildcard tests/requirements/*.txt)
	@test -n "$(PYTHON)"
	"$(PYTHON)" tests/environments.py .venv "$(PYTHON)" tests/requirements/test.txt
	@touch $@

venv: .venv/made-from ## create .venv with the tools of all suites
	@PYTHONPATH=tests .venv/bin/python -c 'import place; place.linked_collections()'

demo: ## run the demo on three local hosts, with the simulator
	@test -n "$(PYTHON)"
	@"$(PYTHON)" tests/environments.py .work/venv-demo "$(PYTHON)" tests/requirements/demo.txt
	@.work/venv-demo/bin/python tests/demo

bench: ## measure speed and memory on an idle machine; "BENCH=module --pairs 5" chooses, BENCH=--help explains
	@test -n "$(PYTHON)"
	@"$(PYTHON)" tests/environments.py .work/venv-bench "$(PYTHON)" tests/requirements/bench.txt
	@.work/venv-bench/bin/python tests/bench $(BENCH)

test: venv ## run every suite that this machine can run; tests/suites.py --list names them
	@$(SUITES)

coverage: venv ## run every suite, and print how much of each plugin file they run
	@$(SUITES) --coverage

lint: venv ## run formatter, linters and type checker
	@$(SUITES) ruff format mypy imports ansible-lint docs changelog

units: venv ## run the unit tests
	@$(SUITES) units units-3.7

sanity: venv ## run the sanity tests
	@$(SUITES) sanity sanity-2.17

integration: venv ## run the integration targets
	@$(SUITES) integration integration-2.17 integration-root

system: venv ## run the system tests, and every example of README and docs
	@$(SUITES) system rotation targets chaos examples

molecule: venv ## run the scenarios in containers
	@$(SUITES) molecule

clean: ## remove all files that the other targets created
	rm -rf .work .venv tests/output

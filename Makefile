# Everything runs as an ordinary user, keeps its scratch below .work/ and .venv/, and never touches the home directory.
.PHONY: venv demo test lint units sanity integration system molecule build clean
.DEFAULT_GOAL := test

PYTHON = $(shell sh tests/find-python)
SUITES = .venv/bin/python tests/suites.py

.venv/made-from: tests/environments.py $(wildcard tests/requirements/*.txt)
	@test -n "$(PYTHON)"
	"$(PYTHON)" tests/environments.py .venv "$(PYTHON)" tests/requirements/test.txt
	@touch $@

venv: .venv/made-from

demo:
	@test -n "$(PYTHON)"
	@"$(PYTHON)" tests/environments.py .work/venv-demo "$(PYTHON)" tests/requirements/demo.txt
	@.work/venv-demo/bin/python tests/demo

# Every suite whose needs are met here; `tests/suites.py --list` tells which there are.
test: venv
	@$(SUITES)

lint: venv
	@$(SUITES) ruff format mypy ansible-lint docs changelog

units: venv
	@$(SUITES) units units-3.7

sanity: venv
	@$(SUITES) sanity sanity-2.17

integration: venv
	@$(SUITES) integration integration-2.17 integration-root

system: venv
	@$(SUITES) system

molecule: venv
	@$(SUITES) molecule

build: venv
	@$(SUITES) build

clean:
	rm -rf .work .venv tests/output

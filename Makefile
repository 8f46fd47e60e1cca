# make demo   installs into .venv and runs the quick start
# make test   installs into .venv and passes the tests
# the first that runs and is of a version that cxr supports: a command that exists may still be a stub
PYTHON ?= $(shell for python in python3.11 python3.12 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$python && break; \
	done)
BIN := .venv/bin

.PHONY: demo test check clean

demo: .venv/.installed
	$(BIN)/cxr run pipelines/quickstart.yaml

test: .venv/.installed-test check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --durations 25

check: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "cxr needs Python 3.11 or 3.12; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.installed-test: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache

# `make help` prints the targets below. Settings come from the environment: PORT=9000 make run (.env.example has all).

PYTHON := .venv/bin/python
STAMP := .venv/.locked
# Start whole services and hold them to a clock: nothing runs beside them.
ALONE := tests/faults tests/deploy/test_nginx.py tests/deploy/test_pgbouncer.py
ALONE += tests/deploy/test_supervisor.py::test_the_whole_service_posts_a_task_and_starts_again_sooner

.PHONY: help setup run browser test lint types migrations check bench attack scale lock clean
.DEFAULT_GOAL := help

help: ## Print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make .venv and install the locked dependencies; does nothing while the lock is the same

$(STAMP): requirements-dev.txt
	@found=; for name in python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Error: Python 3.11 or newer is needed, and none is on the PATH." >&2; exit 1; fi; \
	$(PYTHON) -m pip --version >/dev/null 2>&1 || $$found -m venv --clear .venv || { \
		echo "Error: $$found cannot make a virtual environment; install its venv package (python3-venv on Debian)." >&2; exit 1; }
	@echo "Installing the locked dependencies into .venv (a minute or so the first time)."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $(STAMP)

run: setup ## Run the service with its own PostgreSQL and Valkey on PORT (8000); Ctrl-C stops everything
	@exec $(PYTHON) -m deploy.supervisor

browser: setup ## Install Chromium for tests in a browser, where root on Debian may; else say why they are skipped
	@$(PYTHON) -m tests.browser

test: setup browser ## Run the tests, on a real PostgreSQL and Valkey of their own
	@$(PYTHON) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(addprefix --deselect=,$(ALONE))
	@$(PYTHON) -m pytest $(ALONE)

lint: setup ## Check style and format
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: setup ## Check types
	$(PYTHON) -m mypy

migrations: setup ## Check that no migration is missing, and that none stops the code that serves while it runs
	$(PYTHON) -W "ignore::RuntimeWarning" manage.py makemigrations --check --dry-run
	$(PYTHON) -W "ignore::RuntimeWarning" manage.py check_migrations

check: lint types migrations test ## All of the above, as .ci/run does

bench: setup ## Measure requests/s beside stock DRF, FastAPI and the bare database; QUICK=1 in two minutes, FULL=1 in an hour and more
	@exec $(PYTHON) -m pytest -q -m bench tests/benchmarks

attack: setup browser ## All that an attacker sends, then floods on the real service; half an hour, QUICK=1 two minutes of floods, THROUGH=nginx (Linux)
	@status=0; \
	if [ -z "$(QUICK)" ]; then $(PYTHON) -m pytest -q -m attack tests/attack || status=1; fi; \
	QUICK=$(QUICK) THROUGH=$(THROUGH) $(PYTHON) -m tests.attack.floods || status=1; \
	exit $$status

scale: setup ## The tests on a million rows; takes minutes
	@exec $(PYTHON) -m pytest -m scale

lock: setup ## Write requirements*.txt anew from pyproject.toml, with hashes and without addresses
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links pyproject.toml -o requirements.txt
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean: ## Remove caches and the tests' data; .venv and your own data in .data stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .data/test
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

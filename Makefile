# Each target does all of its set-up: virtual environment, installs, run.
#   make app        the workbench in the browser, with the demo voice
#   make test       every test and check, in a real browser too; the notebooks apart
#   make test-notebooks   every notebook, from top to bottom, and JupyterLab in a real browser
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT   ?= 8501

.PHONY: app test test-notebooks notebooks lint format screenshots clean

app: $(VENV)/.app
	$(BIN)/python -m workbench app --port $(PORT)

test: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not notebook" $(ARGS)

test-notebooks: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(BIN)/python -m pytest -q -m notebook tests/notebooks $(ARGS)

notebooks: $(VENV)/.dev
	$(BIN)/jupyter lab notebooks --LabApp.app_settings_dir=notebooks/.jupyterlab \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(BIN)/python scripts/screenshots.py

clean:
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.app: $(VENV)/.made requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

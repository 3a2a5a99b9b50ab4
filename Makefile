# Each target sets everything up: virtual environment and packages.
#   make app        start the workbench with the demo voice
#   make test       run lint and all tests, also in a real browser, except the notebooks
#   make test-thorough    run the rest of them: accessibility and layout of every page, toy trainings, benches
#   make test-fast  run the fast tests: no browser, no servers, no training
#   make test-notebooks   run every notebook, and JupyterLab in a real browser
#   make test-rest  run test-thorough and test-notebooks at once, as CI does
#   make test-cluster     run sweeps and books over several workers, also on a Ray of this machine, and kill them
#   make lint       check style, layers of imports, types, and imports against requirements
#   make docs       write the generated pages and build the documentation into site/; warnings are errors
#   make course     write the teacher's editions of the lessons into course/
#   make lessons    run the notebooks and keep what they show in docs/lessons/shown/, for `make docs`
#   make lock       renew requirements.lock from the direct pins; ARGS="--upgrade numpy" takes the newest numpy
#   make screenshots, make film   take the pictures of the documentation, and docs/workspace.webp, again
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT   ?= 8501
INSTALL = -m pip install --quiet --disable-pip-version-check
# the versions of requirements.lock without its hashes, so that every build of torch can be used
VERSIONS = $(VENV)/versions.txt
# where other builds of torch are, whose hashes `make lock` adds: indexes, or folders with wheels
BUILDS ?= https://download.pytorch.org/whl/cpu
PYTEST  = $(BIN)/python -m pytest -q
# one process more than two cores, because tests with browsers and servers wait
AT_ONCE = -n 3 --dist loadfile
# tests start hundreds of processes, each of which would compile the package again
export PYTHONDONTWRITEBYTECODE =

.PHONY: app test test-thorough test-fast test-notebooks test-rest test-cluster notebooks lessons course docs lint format lock screenshots film clean

app: $(VENV)/.app
	$(BIN)/python -m workbench app --port $(PORT)

test: lint
	bash scripts/system_packages.sh
	$(PYTEST) $(AT_ONCE) -m "not notebook and not cluster and not thorough" $(ARGS)

test-thorough: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(PYTEST) $(AT_ONCE) -m "thorough and not notebook and not cluster" $(ARGS)

test-fast: $(VENV)/.dev
	$(PYTEST) -n 2 --dist loadfile -m "not browser and not notebook and not cluster and not slow and not thorough" $(ARGS)

test-cluster: $(VENV)/.dev
	$(BIN)/python $(INSTALL) -r requirements-cluster.txt -c $(VERSIONS)
	$(PYTEST) -m cluster $$(grep -rl --include="test_*.py" mark.cluster tests) $(ARGS)

test-notebooks: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(PYTEST) $(AT_ONCE) -m notebook tests/notebooks $(ARGS)

test-rest: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(PYTEST) $(AT_ONCE) -m "(thorough or notebook) and not cluster" $(ARGS)

notebooks: $(VENV)/.dev
	$(BIN)/jupyter lab notebooks --LabApp.app_settings_dir=notebooks/.jupyterlab \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/deptry workbench
	$(BIN)/deptry --config tests/deptry.toml workbench tests training scripts

lessons: $(VENV)/.dev
	$(BIN)/python scripts/docs_lessons.py

course: $(VENV)/.dev
	$(BIN)/python scripts/lessons.py course

docs: $(VENV)/.docs
	$(BIN)/python scripts/docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python $(INSTALL) uv==0.13.9
	$(VENV)-lock/bin/python scripts/lock.py --renew --builds $(BUILDS) $(ARGS)
	rm -rf $(VENV)-lock

screenshots: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(BIN)/python scripts/screenshots.py

film: $(VENV)/.dev
	bash scripts/system_packages.sh
	$(BIN)/python scripts/animation.py

clean:
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed. Name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VERSIONS): $(VENV)/.made requirements.lock scripts/lock.py
	$(BIN)/python scripts/lock.py --versions > $@

$(VENV)/.app: $(VERSIONS) requirements.txt pyproject.toml
	$(BIN)/python $(INSTALL) -r requirements.txt -c $(VERSIONS)
	$(BIN)/python $(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(BIN)/python $(INSTALL) -r requirements-dev.txt -c $(VERSIONS)
	@touch $@

$(VENV)/.docs: $(VENV)/.app requirements-docs.txt
	$(BIN)/python $(INSTALL) -r requirements-docs.txt -c $(VERSIONS)
	@touch $@

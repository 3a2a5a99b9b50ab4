"""Project rules that `make lint` does not check: pins and requirements.lock, imports by string, tests that end."""

from __future__ import annotations

import ast
import itertools
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts import lock
from tests import scheduling
from tests.server import ROOT

DIRECT = ("requirements.txt", "requirements-dev.txt")
IMPORTERS = ("import_module", "__import__", "find_spec", "find_loader", "resolve_name", "run_module", "reload")


def requirements(name: str) -> list[Requirement]:
    """The lines of a file of requirements, without comments and options."""
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pins(name: str) -> dict[str, str]:
    """Canonical name to the one version that a file of requirements allows."""
    found = {}
    for line in requirements(name):
        assert re.fullmatch(r"==[^*,]+", str(line.specifier)), f"{name}: {line} is not pinned"
        found[canonicalize_name(line.name)] = str(line.specifier)[2:]
    return found


LOCKED = (ROOT / "requirements.lock").read_text("utf-8")
LOCK = {name: lock.version_of(entry) for name, entry in lock.entries(LOCKED).items()}


def installed(name: str) -> str | None:
    """Version of a package here, without its build (``+cpu``); None where it is not for this machine."""
    try:
        return Version(distribution(name).version).public
    except PackageNotFoundError:
        return None


def brought_along(direct: list[Requirement]) -> set[str]:
    """Every package here that ``direct`` asks for, or that one of these asks for, by canonical name."""
    waiting, asked, found = list(direct), set(), set()
    while waiting:
        line = waiting.pop()
        name = canonicalize_name(line.name)
        for extra in (*line.extras, ""):
            if (name, extra) in asked or installed(name) is None:
                continue
            asked.add((name, extra))
            found.add(name)
            needs = map(Requirement, distribution(name).requires or [])
            waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return found


@pytest.mark.parametrize("name", [*DIRECT, "training/demo_voice/requirements.txt"])
def test_direct_pins_agree_with_the_lock(name: str) -> None:
    direct = pins(name)
    assert direct
    assert {p: (v, LOCK[p]) for p, v in direct.items() if p in LOCK and Version(LOCK[p]) != Version(v)} == {}
    if name in DIRECT:
        assert set(direct) - set(LOCK) == set(), "run `make lock`"


def test_the_lock_names_all_that_comes_along() -> None:
    come = brought_along([r for name in DIRECT for r in requirements(name)])
    assert {"numpy", "anyio", "jupyter-server"} <= come
    assert come - set(LOCK) == set(), "run `make lock`"


def test_this_environment_is_the_locked_one() -> None:
    here = {name: installed(name) for name in LOCK}
    assert {name: (here[name], LOCK[name]) for name in LOCK if here[name] not in (LOCK[name], None)} == {}
    lacking = {name for name in pins("requirements.txt") if here[name] is None}
    assert lacking == set(), "run `make .venv/.dev`"


def test_both_commands_install_from_the_lock() -> None:
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    installs = [line for line in lines if "$(BIN)" in line and " -r " in line]
    assert len(installs) >= 2 and all(line.endswith("-c $(VERSIONS)") for line in installs)


def strings_of(node: ast.AST) -> Iterator[str]:
    """Every string below ``node``, those of f-strings among them."""
    return (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def called(node: ast.AST) -> str:
    """Name of what a call calls, without its owner."""
    function = getattr(node, "func", None)
    return getattr(function, "attr", getattr(function, "id", ""))


def imported_by_string(source: str) -> list[str]:
    """Names of the project that ``source`` may import by string.

    Where the name is not written in the call, every string of the file counts, loggers' names apart.
    """
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    imports = [call for call in calls if called(call) in IMPORTERS]
    found = [text for call in imports for text in strings_of(call)]
    if any(not any(strings_of(call)) for call in imports):
        of_loggers = [text for call in calls if called(call) == "getLogger" for text in strings_of(call)]
        found += [text for text in strings_of(tree) if text not in of_loggers]
    return [text for text in found if re.match(r"(workbench|training)(\.|$)", text)]


def test_nothing_below_the_public_face_is_imported_by_string() -> None:
    files = [path for path in (ROOT / "workbench").rglob("*.py") if path != ROOT / "workbench" / "__init__.py"]
    assert len(files) > 100
    assert {str(path): names for path in files if (names := imported_by_string(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("import importlib\nimportlib.import_module('workbench.figures')", 1),
        ("from importlib import import_module as load, import_module\nimport_module(f'workbench.{name}')", 1),
        ("__import__('workbench.figures')", 1),
        ("NAMES = ['workbench.figures']\nfor name in NAMES:\n    import_module(name)", 1),
        ("runpy.run_module('workbench.lab.cell')", 1),
        ("import_module('torch')\nlog = getLogger('workbench.jobs')", 0),
        ("import_module(name)\nlog = getLogger('workbench.jobs')", 0),
        ("run([sys.executable, '-m', 'workbench.lab.cell'])", 0),
    ],
)
def test_imports_by_string_are_seen(source: str, n_found: int) -> None:
    assert len(imported_by_string(source)) == n_found


def test_every_test_ends() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    assert 0 < options["timeout"] <= 60


def test_a_module_without_a_floor_fails_lint(tmp_path: Path) -> None:
    for name in ("workbench", "training"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.woff2"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for place in ("workbench", "workbench/engine", "workbench/engine/cache"):
        (tmp_path / place / "attic.py").write_text("", "utf-8")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as go; go()", "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.count("attic") == done.stdout.count("BROKEN") == 3, done.stdout


def test_tests_that_a_worker_takes_at_once_stand_together(request: pytest.FixtureRequest) -> None:
    groups = [scheduling.group(item.nodeid) for item in request.session.items]
    assert len(list(itertools.groupby(groups))) == len(set(groups))
    browsers = {f"tests/browser/{path.name}::test_x" for path in (ROOT / "tests" / "browser").glob("test_*.py")}
    assert {scheduling.group(name) for name in browsers} == set(scheduling.BROWSERS)
    assert max(map(scheduling.rank, browsers)) < scheduling.rank("tests/notebooks/test_notebooks.py::test_x")

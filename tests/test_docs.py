"""README, documentation and the import rules are true: code runs, commands and files exist, generated pages are new."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import workbench
from scripts import docs, docs_lessons
from workbench.cli import main
from workbench.cli.parts.commands import app
from workbench.engine import measures

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.S | re.M)
COMMANDS = [
    shlex.split(line, comments=True)[3:]
    for kind, block in BLOCKS
    if kind == "bash"
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("python -m workbench")
]


def test_the_first_screen_has_the_two_commands_and_a_screenshot():
    first = "\n".join(README.splitlines()[:40])
    assert "make app" in first
    assert "make test" in first
    assert "![" in first


def parsed(words: list[str]) -> None:
    """Raise unless the command exists and takes these flags and arguments."""
    command, rest = get_command(app), list(words)
    while getattr(command, "commands", None):
        if not rest and command.invoke_without_command:
            return
        assert rest and rest[0] in command.commands, f"there is no workbench {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)


# long, online, without end, or about files of the reader: only their flags are checked
NOT_RUN = (
    *("app", "bench", "evaluate", "lab", "cache fetch", "cache import", "cache export", "voices add"),
    "synth --text-file",
)
OF_READER = re.compile(r"\d{8}-\d{6}-|--voice Anna")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda w: " ".join(w)[:60])
def test_commands_run(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    parsed(words)
    said = " ".join(words)
    if not said.startswith(NOT_RUN) and not OF_READER.search(said):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code in (0, None)


def test_python_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = [block for kind, block in BLOCKS if kind == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"\bmake (\w+)", README)) <= targets


def test_links_and_pictures_of_the_documents_exist():
    for document in [
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]:
        for target in re.findall(r"\]\(([^)#\s`]+)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                place = (document.parent / target).resolve()
                if place == ROOT / "docs" / docs_lessons.CODE_PAGE:  # made when the site is built
                    continue
                if place.parent == ROOT / "docs/lessons" and place.stem != "index":  # made of that notebook
                    place = ROOT / "notebooks" / f"{place.stem}.ipynb"
                assert place.exists(), f"{document.name} points to {target}"


def test_the_import_rules_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


# The site ------------------------------------------------------------------------------------------------------------

PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.S | re.M)
VARIABLE = re.compile(r"(WORKBENCH|HF|HUGGINGFACE|TRANSFORMERS|XDG|OMP|GOMP|RAY|DO_NOT)_[A-Z_]*[A-Z]")


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, content) of the code blocks of a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(content: str) -> list[list[str]]:
    """The words of each line of a shell block that calls the workbench."""
    lines = content.replace("\\\n", " ").splitlines()
    split = [shlex.split(line, comments=True) for line in lines if "workbench " in line]
    return [words[words.index("workbench") + 1 :] for words in split if "workbench" in words and "docker" not in words]


def told(page: Path) -> list[list[str]]:
    return [words for kind, content in blocks(page) if kind in ("bash", "sh") for words in commands(content)]


def test_generated_pages_are_those_that_the_code_makes() -> None:
    stale = [path.name for path, text in docs.written().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs` and commit docs/reference"


def test_every_public_name_has_a_docstring_and_a_page() -> None:
    page = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    for name in workbench.__all__:
        public = getattr(workbench, name)
        assert inspect.getdoc(public) and f".{name}\n" in page
        for inner, value in vars(public).items() if inspect.isclass(public) else ():
            if not inner.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod)):
                assert inspect.getdoc(value), f"{name}.{inner} has no docstring"


@pytest.mark.parametrize("page", [page for page in PAGES if told(page)], ids=lambda page: page.stem)
def test_commands_of_the_pages_exist_with_their_flags(page: Path) -> None:
    for words in told(page):
        parsed(words[: words.index("2>&1")] if "2>&1" in words else words)


def helps(command) -> list[str]:
    """The help of a command and of its options."""
    return [command.help or "", *(getattr(param, "help", None) or "" for param in command.params)]


@pytest.mark.parametrize(
    "words", [words for words, command in docs.walk(get_command(app), ()) if words and "[" in "".join(helps(command))]
)
def test_the_help_shows_its_brackets(words, capsys, monkeypatch) -> None:
    """Rich takes ``[word]`` for markup and leaves it out."""
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    shown = capsys.readouterr().out
    told = [
        word for text in helps(dict(docs.walk(get_command(app), ()))[words]) for word in re.findall(r"\[[^]]+]", text)
    ]
    assert told and [word for word in told if word not in shown] == []


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block in its order, in one folder; only the server is not started, because it has no end."""
    monkeypatch.chdir(tmp_path)
    for kind, content in blocks(ROOT / "docs/tutorial.md"):
        if kind == "toml":
            (tmp_path / "steps.toml").write_text(content, encoding="utf-8")
        elif kind == "python":
            exec(compile(content, "tutorial.md", "exec"), {})
        for words in commands(content) if kind == "bash" else ():
            if words != ["app"]:
                with pytest.raises(SystemExit) as ended:
                    main(words)
                assert ended.value.code in (0, None), words
    assert (tmp_path / "hello.wav").read_bytes() == (tmp_path / "again.wav").read_bytes()
    assert (tmp_path / "steps.html").stat().st_size > 1000


def test_grids_of_the_pages_are_valid(tmp_path: Path) -> None:
    import tomllib

    from workbench.engine.settings import LoadSettings, SynthesisSettings
    from workbench.engine.sweeps.grid import _PARTS, KEYS

    settings = {**SynthesisSettings().as_dict(), **LoadSettings().as_dict()}
    found = [(page, content) for page in PAGES for kind, content in blocks(page) if kind == "toml"]
    assert found
    for page, content in found:
        grid = tomllib.loads(content)
        assert set(grid) <= set(_PARTS) and set(grid["fixed"]) | set(grid["grid"]) <= set(KEYS), page.name
        measured = {m.name for m in measures.of_every_cost(measures.RUN, measures.SOUND)}
        assert set(grid.get("measures", ())) <= measured, page.name
        for name, values in grid["grid"].items():
            for value in values if name in settings else ():
                (SynthesisSettings if name in SynthesisSettings().as_dict() else LoadSettings)(**{name: value})


def test_the_environment_variables_are_those_of_the_code() -> None:
    read = {
        node.value
        for path in (ROOT / "workbench").rglob("*.py")
        if "lab" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value)
    }
    page = (ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    told = {found.group() for found in VARIABLE.finditer(page)}
    assert read <= told and told - read <= {"HF_TOKEN"}  # read by the Hub's client


def test_the_citation_names_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == workbench.__version__ and cited["license"] == "MIT"


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:")[-1]
    listed = set(re.findall(r"[:-] (\S+\.md)$", menu, flags=re.M))
    lessons = {f"lessons/{notebook.stem}.md" for notebook in docs_lessons.NOTEBOOKS}
    lessons |= {docs_lessons.CODE_PAGE}
    assert len(lessons) == 10 and listed == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES} | lessons


def test_the_page_of_the_player_lists_its_keys() -> None:
    script = (ROOT / "workbench" / "ui" / "static" / "dock-keys.js").read_text(encoding="utf-8")
    keys = re.findall(r'^  \["([^"]+)", "([^"]+)"\],$', script, re.MULTILINE)
    page = (ROOT / "docs" / "how-to" / "player.md").read_text(encoding="utf-8")
    assert len(keys) > 8 and all(f"| {key} | {about} |" in page for key, about in keys)

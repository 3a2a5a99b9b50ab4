"""The container files say what they promise: no rights, a read-only root, a health check, and files that exist.

No builder is at hand where the tests run, so the files are read, and what they call is compared with the project.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from tests.server import ROOT
from workbench.cli.parts.commands import app
from workbench.ui.parts.bundle_import import MAX_MEGABYTES

LINES = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8")).splitlines()
STEPS = [(line.split()[0], line.split(maxsplit=1)[1]) for line in LINES if line.strip() and not line.startswith("#")]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
PROXY = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")


def of(instruction: str) -> list[str]:
    return [rest for name, rest in STEPS if name == instruction]


def parsed(words: list[str]) -> None:
    command = get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    command.make_context(words[0], list(words[1:]))


def test_the_image_runs_without_rights_and_tells_its_health() -> None:
    last = max(k for k, (name, _) in enumerate(STEPS) if name == "FROM")
    final = STEPS[last:]
    names = [name for name, _ in final]
    assert dict(final)["USER"] == "10001" and names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]
    assert json.loads(dict(final)["VOLUME"]) == ["/data", "/tmp"]
    assert "/_stcore/health" in dict(final)["HEALTHCHECK"] and "8501" in dict(final)["EXPOSE"]
    assert json.loads(dict(final)["ENTRYPOINT"]) == ["workbench"]
    parsed(json.loads(dict(final)["CMD"]))
    known = {
        "ARG",
        "FROM",
        "WORKDIR",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert {name for name, _ in STEPS} <= known


def test_the_health_check_is_a_program() -> None:
    check = json.loads(of("HEALTHCHECK")[0].split("CMD", 1)[1])
    compile(check[-1], "HEALTHCHECK", "exec")


def test_every_copied_file_exists_and_is_not_ignored() -> None:
    rules = [r for r in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if not r.startswith("**")]
    assert rules[0] == "*"
    kept = [rule[1:] for rule in rules[1:]]
    for words in (line.split() for line in of("COPY") if not line.startswith("--from")):
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source, rule) or rule.startswith(source + "/") for rule in kept), source
    assert all((ROOT / rule).exists() for rule in kept)


def test_the_wheel_of_the_image_has_all_that_its_build_reads() -> None:
    from tests.test_wheel import SOURCES

    copied = {word for line in of("COPY") for word in line.split()}
    assert set(SOURCES) <= copied


def test_the_services_have_a_read_only_root_and_no_rights() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["tmpfs"] == ["/tmp"] and "no-new-privileges:true" in service["security_opt"], name
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert (
        COMPOSE["services"]["workbench"]["networks"] == ["inside"] and "ports" not in COMPOSE["services"]["workbench"]
    )
    parsed([re.sub(r"\$\{\w+:-(.*)\}", r"\1", word) for word in COMPOSE["services"]["workbench"]["command"]])


def test_the_proxy_passes_what_the_pages_need() -> None:
    for needed in (
        "Upgrade $http_upgrade",
        'Connection "upgrade"',
        "Host $http_host",
        "auth_basic ",
        "ssl_certificate ",
    ):
        assert needed in PROXY
    assert "http://workbench:8501" in PROXY and "8443" in COMPOSE["services"]["proxy"]["ports"][0]
    limit = int(re.search(r"client_max_body_size (\d+)m", PROXY)[1])  # type: ignore[index]
    served = (ROOT / "workbench/.streamlit/config.toml").read_text(encoding="utf-8")
    assert limit > max(int(re.search(r"maxUploadSize = (\d+)", served)[1]), MAX_MEGABYTES)  # type: ignore[index]
    assert PROXY.count("{") == PROXY.count("}")
    for line in (line.split("#")[0] for line in PROXY.splitlines()):
        assert not line.strip() or line.rstrip().endswith((";", "{", "}")), line


def test_the_devcontainer_makes_the_environment_of_the_project() -> None:
    found = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    target = shlex.split(found["postCreateCommand"])[1]
    assert target.replace(".venv", "$(VENV)") + ":" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert 8501 in found["forwardPorts"]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_forms_are_valid(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form
    for part in form.get("body", ()):
        assert part["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert part["attributes"].get("label") or part["type"] == "markdown"


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="needs nginx and openssl")
def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    secrets = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"), "-subj", "/CN=localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *secrets], capture_output=True, check=True
    )
    (tmp_path / "htpasswd").write_text("class:x\n")
    here = PROXY.replace("/etc/nginx/secrets", str(tmp_path)).replace("http://workbench", "http://127.0.0.1")
    (tmp_path / "server.conf").write_text(here)
    whole = f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off; include {tmp_path}/server.conf; }}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    command = ["nginx", "-t", "-q", "-e", str(tmp_path / "errors"), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="needs hadolint")
def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

"""Run the steps of the Dockerfile in clean roots, where no builder is at hand, and try what they make.

    debootstrap --variant=minbase --include=python3-venv,ca-certificates bookworm base
    python scripts/image.py base work --build-arg TORCH_INDEX=...

``base`` is a folder with a Debian and Python. Each FROM is a copy of it below ``work``; RUN is a shell in that root.
Then the image speaks and serves its page as a container would run it: its user, a read-only root, no network. Needs
root, on Linux. ``--copy`` puts files of this machine, such as certificates, at the same place into the roots; every
``--build-arg`` is a variable of each RUN.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEAK = ["synth", "Hello.", "--nfe-step", "5", "--out", "/data/hello.wav"]


@dataclass
class Stage:
    """One FROM: its root, and what the instructions after it have set."""

    name: str
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0"
    words: dict[str, list[str]] = field(default_factory=dict)  # ENTRYPOINT, CMD and HEALTHCHECK


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield (instruction, rest) of each step of a Dockerfile, with continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, rest = line.strip().partition(" ")
            yield instruction.upper(), rest.strip()


def filled(text: str, values: dict[str, str]) -> str:
    """Return ``text`` with ``${NAME}`` and ``$NAME`` replaced, as ENV and FROM do it."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], ""), text)


def allowed(ignore: str, source: str) -> bool:
    """Whether .dockerignore, written as ``*`` and exceptions, lets ``source`` into the context."""
    kept = [line[1:] for line in ignore.split() if line.startswith("!")]
    return any(source == rule or source.startswith(f"{rule}/") or rule.startswith(f"{source}/") for rule in kept)


class Builder:
    """Runs the steps of ``text`` and remembers the stages."""

    def __init__(self, text: str, base: Path, work: Path, given: dict[str, str], copies: Sequence[Path]) -> None:
        self.text, self.base, self.work, self.given, self.copies = text, base, work, given, copies
        self.arguments: dict[str, str] = {}
        self.stages: list[Stage] = []

    def build(self) -> Stage:
        """Run all steps; return the last stage. Raises CalledProcessError if a RUN fails."""
        for instruction, rest in steps(self.text):
            sys.stderr.write(f"{instruction} {rest[:110]}\n")
            getattr(self, f"_{instruction.lower()}")(rest)
        return self.stages[-1]

    def _from(self, rest: str) -> None:
        _image, _, name = filled(rest, self.arguments).partition(" AS ")
        root = self.work / (name or f"stage{len(self.stages)}")
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.base), str(root)], check=True)
        for path in self.copies:
            target = root / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-aLT", str(path), str(target)], check=True)
        python = root / "usr/local/bin/python"
        if not python.exists():  # as in the image of that name
            python.symlink_to("/usr/bin/python3")
        path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.stages.append(Stage(name, root, {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}))

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.arguments[name] = self.given.get(name, default)

    def _workdir(self, rest: str) -> None:
        self.stages[-1].folder = rest
        (self.stages[-1].root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _run(self, rest: str) -> None:
        stage = self.stages[-1]
        inside = f"cd {shlex.quote(stage.folder)} && {rest}"
        environment = stage.environment | self.given | self.arguments
        subprocess.run(["chroot", str(stage.root), "/bin/sh", "-c", inside], check=True, env=environment)

    def _copy(self, rest: str) -> None:
        words = rest.split()
        origin = ROOT
        if words[0].startswith("--from="):
            name = words.pop(0).removeprefix("--from=")
            origin = next(stage.root for stage in self.stages if stage.name == name)
        stage, (*sources, target) = self.stages[-1], words
        place = stage.root / (target if target.startswith("/") else f"{stage.folder}/{target}").lstrip("/")
        ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8")
        for source in sources:
            path = origin / source.lstrip("/")
            if origin == ROOT and not allowed(ignore, source):
                raise SystemExit(f"{source} is not in the context: .dockerignore")
            to = place / path.name if target.endswith("/") else place
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                left_out = shutil.ignore_patterns(
                    "__pycache__", *(["hub", "imported", "chunks"] if source == "cache" else [])
                )
                shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True, ignore=left_out)
            else:
                shutil.copy2(path, to)

    def _env(self, rest: str) -> None:
        stage = self.stages[-1]
        for word in shlex.split(rest):
            name, _, value = word.partition("=")
            stage.environment[name] = filled(value, self.arguments | stage.environment)

    def _user(self, rest: str) -> None:
        self.stages[-1].user = rest

    def _healthcheck(self, rest: str) -> None:
        self.stages[-1].words["HEALTHCHECK"] = json.loads(rest.split("CMD", 1)[1])

    def _entrypoint(self, rest: str) -> None:
        self.stages[-1].words["ENTRYPOINT"] = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.stages[-1].words["CMD"] = json.loads(rest)

    def _volume(self, rest: str) -> None:
        self.stages[-1].words["VOLUME"] = json.loads(rest)

    def _expose(self, rest: str) -> None:
        self.stages[-1].words["EXPOSE"] = rest.split()


def contained(stage: Stage, script: str) -> list[str]:
    """Return the command that runs ``script`` as a container does: read-only root, volumes, its user, no network."""
    root = shlex.quote(str(stage.root))
    inside = (
        f"mount --bind {root} {root} && mount -t proc proc {root}/proc && mount --bind /dev {root}/dev"
        f" && mount -t tmpfs -o mode=1777 tmpfs {root}/dev/shm"
        f" && mount -t tmpfs tmpfs {root}/tmp && mount -t tmpfs -o uid={stage.user},gid={stage.user} tmpfs {root}/data"
        f" && mount -o remount,bind,ro {root} && ip link set lo up"
        f" && exec chroot --userspec={stage.user}:{stage.user} {root} /bin/sh -c {shlex.quote(script)}"
    )
    return ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", inside]


def trial(stage: Stage) -> str:
    """Return the script that tries the image: it cannot write to its root, speaks, serves the page, and is healthy."""
    entry, check = (shlex.join(stage.words[name]) for name in ("ENTRYPOINT", "HEALTHCHECK"))
    served = shlex.join([*stage.words["ENTRYPOINT"], *stage.words["CMD"]])
    return f"""set -e
cd {shlex.quote(stage.folder)}
if touch /opt/probe 2>/dev/null; then echo "The root can be written." >&2; exit 1; fi
{entry} {shlex.join(SPEAK)}
{entry} doctor
{served} > /tmp/log 2>&1 &
server=$!
for second in $(seq 120); do {check} 2>/dev/null && break; kill -0 $server; sleep 1; done
{check}
python -c "import urllib.request as u; page = u.urlopen('http://127.0.0.1:8501/').read(); assert b'<html' in page"
kill $server
echo "The image works: user $(id -u), read-only root, no network."
"""


def main() -> None:
    """Read the arguments, build, try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="folder with a clean root that has Python")
    parser.add_argument("work", type=Path, help="new folder for the roots of the stages")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--copy", action="append", type=Path, default=[], metavar="PATH", help="into every root")
    given = parser.parse_args()
    given.work.mkdir(parents=True)
    values = dict(each.split("=", 1) for each in given.build_arg)
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stage = Builder(text, given.base, given.work.resolve(), values, given.copy).build()
    environment = stage.environment | {"PYTHONUNBUFFERED": "1"}
    raise SystemExit(subprocess.run(contained(stage, trial(stage)), env=environment).returncode)


if __name__ == "__main__":
    main()

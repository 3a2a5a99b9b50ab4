"""The kinds of input that ``scripts/fuzz.py`` runs one after the other, and the document at the end."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.fuzzing.archives import Archives
from tests.fuzzing.audio import Audio
from tests.fuzzing.bundles import Bundles
from tests.fuzzing.drawing import Source
from tests.fuzzing.driver import run_kind
from tests.fuzzing.http import Http
from tests.fuzzing.kind import Kind
from tests.fuzzing.long import Long
from tests.fuzzing.models import Models
from tests.fuzzing.runs import Runs
from tests.fuzzing.scripts import Scripts
from tests.fuzzing.texts import Texts
from tests.fuzzing.voices import Voices

_ALL: tuple[type[Kind], ...] = (Texts, Scripts, Audio, Runs, Long, Voices, Models, Archives, Bundles, Http)
KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in _ALL}
DEFAULT_SECONDS = 60.0
# imported once, here: each case is a fork and finds them loaded
_HEAVY = (
    "torch",
    "workbench.engine.speech.synthesis",
    "workbench.engine.runs.exports",
    "workbench.cli.synth",
    "workbench.cli.takes",
    "f5_tts.model.cfm",
    "vocos",
)
_PAGES = ("streamlit.testing.v1", "starlette.testclient", "workbench.ui.routes", "workbench.ui.resources")


def run(
    names: Sequence[str], seed: int, *, seconds: float | None = None, cases: int | None = None, only: int | None = None
) -> int:
    """Run the kinds ``names``, print findings and the document. Returns the exit code: 1 if something was found."""
    if cases is None and only is None:
        seconds = (seconds or DEFAULT_SECONDS) / len(names)
    _import_all()
    reports = {name: run_kind(KINDS[name](), seed, cases=cases, seconds=seconds, only=only) for name in names}
    n_findings = sum(len(report.findings) for report in reports.values())
    document = {"seed": seed, "findings": n_findings, "kinds": {n: r.as_dict() for n, r in reports.items()}}
    print(json.dumps(document, ensure_ascii=False))
    return 1 if n_findings else 0


def _import_all() -> None:
    """Import what any case needs, and let Hypothesis write its tables."""
    from workbench.engine import upstream

    upstream.install()
    for name in (*_HEAVY, *_PAGES):
        importlib.import_module(name)
    Source(0, "", 0).draw(st.text())

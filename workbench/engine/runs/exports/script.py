"""The script of a run as TOML, for ``synth --script`` and, but for tags with settings, upstream's command line."""

from __future__ import annotations

import json

from workbench.engine.speech.passages.writing import resolved
from workbench.engine.speech.requests import REFERENCE_FILE, reference_file
from workbench.engine.speech.results import Run

FILE = "script.toml"  # in the zip of a run


def script_toml(run: Run) -> str:
    """Return the script with the settings of each passage, and its voices: recordings beside it, or names.

    Speeds that were fitted to times are in the tags; the ends of the times are not, so that nothing is fitted again.
    """
    script = run.request.script
    assert script is not None, "a run of a script"
    lines = [f"gen_text = {_quoted(resolved(run.request))}", f"gap_seconds = {script.gap_seconds!r}", ""]
    for one in script.speakers:
        name = REFERENCE_FILE if one.voice.id == run.voice_id else reference_file(one.voice.id)
        kept = one.voice.id in run.references or (one.voice.id == run.voice_id and run.reference is not None)
        lines.append(f"[voices.{_quoted(one.name)}]")
        if kept:
            lines += [f"ref_audio = {_quoted(name)}", f"ref_text = {_quoted(one.voice.ref_text)}"]
            lines += [f"language = {_quoted(one.voice.language)}"] if one.voice.language else []
        else:
            lines.append(f"voice = {_quoted(one.voice.name)}")
        lines.append("")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """``text`` as a TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

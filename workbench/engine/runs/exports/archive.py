"""Export everything of a run in one zip."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from workbench.engine.runs.exports import script
from workbench.engine.runs.exports.readme import readme
from workbench.engine.runs.exports.registry import every, export
from workbench.engine.signal.audio import exact_bytes, to_bytes
from workbench.engine.speech.requests import REFERENCE_FILE, reference_file
from workbench.engine.speech.results import Run


def _write(run: Run, path: Path) -> None:
    """The zip, one member after the other. A long run is without mel.npy, which alone would fill the memory,
    and without what takes minutes of analysis: `runs export` writes it.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".f5tts-") as place, path.open("wb") as file:
        draft, names = Path(place, "member"), []
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:

            def add(name: str, content: bytes | Callable[[Path], None]) -> None:
                names.append(name)
                if isinstance(content, bytes):
                    archive.writestr(name, content)
                else:
                    content(draft)
                    archive.write(draft, name)

            for found in every():
                if found.name != "zip" and not (run.is_long and found.is_heavy):
                    add(found.member, partial(found.write, run) if found.writer else found.make(run))
            add("run.json", json.dumps(run.as_dict(), ensure_ascii=False, indent=1).encode("utf-8", "replace"))
            add("text.txt", run.text.encode("utf-8", "replace"))
            if not run.is_long:
                add("mel.npy", _npy(run.mel))
            if run.reference is not None:
                add(REFERENCE_FILE, exact_bytes(run.reference, run.sample_rate))
                add("reference.txt", run.ref_text.encode("utf-8", "replace"))
            if run.request.script is not None:
                add(script.FILE, script.script_toml(run).encode("utf-8", "replace"))
                for voice_id, wave in run.references.items():
                    add(reference_file(voice_id), exact_bytes(wave, run.sample_rate))
            for result in run.chunks:
                add(f"chunks/{result.chunk.index + 1:03d}.wav", to_bytes(result.wave, result.sample_rate))
            about = {found.member: found.about for found in every()}
            add("README.txt", readme(run, names, about).encode("utf-8", "replace"))


@export("zip", ".zip", "application/zip", "All, as zip", "All of these, each chunk, the mel, the reference, a README",
        writer=_write)  # fmt: skip
def everything_zip(run: Run) -> bytes:
    """Return a zip of all other exports, each chunk as WAV, the mel as NumPy array, run.json and text.txt.

    Adds the reference if the run has it. README.txt describes each file and gives the command that repeats the run.
    """
    with tempfile.TemporaryDirectory() as place:
        _write(run, path := Path(place, "all.zip"))
        return path.read_bytes()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()

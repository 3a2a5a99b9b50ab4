"""Export everything of a run in one zip."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np

from workbench.engine.runs.exports.readme import readme
from workbench.engine.runs.exports.registry import every, export
from workbench.engine.signal.audio import exact_bytes, to_bytes
from workbench.engine.speech.results import REFERENCE_FILE, Run


@export("zip", ".zip", "application/zip", "All, as zip", "All of these, each chunk, the mel, the reference, a README")
def everything_zip(run: Run) -> bytes:
    """Return a zip of all other exports, each chunk as WAV, the mel as NumPy array, run.json and text.txt.

    Adds the reference if the run has it. README.txt describes each file and gives the command that repeats the run.
    """
    files = {found.member: found.make(run) for found in every() if found.name != "zip"}
    about = {found.member: found.about for found in every()}
    files["run.json"] = json.dumps(run.as_dict(), ensure_ascii=False, indent=1).encode("utf-8", "replace")
    files["text.txt"] = run.text.encode("utf-8", "replace")
    files["mel.npy"] = _npy(run.mel)
    if run.reference is not None:
        files[REFERENCE_FILE] = exact_bytes(run.reference, run.sample_rate)
        files["reference.txt"] = run.ref_text.encode("utf-8", "replace")
    for result in run.chunks:
        files[f"chunks/{result.chunk.index + 1:03d}.wav"] = to_bytes(result.wave, result.sample_rate)
    files["README.txt"] = readme(run, list(files), about).encode("utf-8", "replace")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()

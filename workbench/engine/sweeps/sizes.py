"""A sweep over chunk sizes of one request: its name follows from the request, so that it is found again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.recordings.library import list_voices, same_name
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice
from workbench.engine.sweeps import records
from workbench.engine.sweeps.grid import Grid, Trial, shuffled, trial_id
from workbench.engine.sweeps.running import Sweep

AXIS = "max_chunk_bytes"


def name_of(request: SpeechRequest) -> str:
    """Return the name of the sweep over the sizes of ``request``, whatever its own size is."""
    plain = _trial_request(request, None, "")
    return f"chunk size {trial_id(plain, 0)[:8]}"


def sweep_of(request: SpeechRequest, voice: Voice, sizes: Iterable[int]) -> Sweep:
    """Return the sweep that speaks ``request`` once with each of ``sizes``, and with those it had before.

    Nothing is spoken or written yet; ``Sweep.run`` and ``SweepJob`` speak what is missing.

    Args:
        request: what to speak; its size, reuse, profile and sweep are left out.
        voice: the voice of the request. One that is known by no name is saved with the sweep.
        sizes: in bytes.

    Raises:
        SettingsError: a size is out of its range.
    """
    name = name_of(request)
    folder = records.sweep_folder(name)
    every = set(sizes)
    with suppress(RunError):  # there is none yet
        every |= {size for size in records.read_grid_of(folder)[0].axes.get(AXIS, ()) if isinstance(size, int)}
    spoken_by: Any = voice.name
    if not is_known(voice):
        kept = str(folder / "uploaded")  # no file: the sweep keeps the recording itself, under the voice's own name
        voice = dataclasses.replace(voice, recording=kept)
        spoken_by = {"recording": kept, "words": voice.ref_text}
    grid = Grid(name, {AXIS: tuple(sorted(every))}, fixed_of(request) | {"voice": spoken_by})
    requests = {size: _trial_request(request, size, name) for size in sorted(every)}
    trials = [Trial(trial_id(wanted, 0), wanted, {AXIS: size}) for size, wanted in requests.items()]
    return Sweep(grid, folder, tuple(shuffled(trials, 0)), {records.voice_key(spoken_by, request.model): voice})


def is_known(voice: Voice) -> bool:
    """Whether a bundled or saved voice has the name and the samples of ``voice``."""
    try:
        return any(same_name(known.name, voice.name) for known in list_voices()) and (
            load_voice(voice.name, voice.mel_config).id == voice.id
        )
    except WorkbenchError:
        return False


def _trial_request(request: SpeechRequest, size: int | None, name: str) -> SpeechRequest:
    settings = request.settings.replace(**{AXIS: size})
    return request.replace(settings=settings, sweep=name, reuse=False, profile=False, remake=None)


def fixed_of(request: SpeechRequest) -> dict[str, Any]:
    """Return what ``request`` gives a grid that varies other things: text, model, and all that is not at its default.

    The voice and the chunk size are left out.
    """
    found: dict[str, Any] = {"text": request.text, "model": request.model}
    found |= {"folder": request.folder} if request.folder else {}
    found |= {"random_weights": True} if request.random_weights else {}
    for owner, values in ((SynthesisSettings, request.settings), (LoadSettings, request.load)):
        for field in dataclasses.fields(owner):
            value = getattr(values, field.name)
            if field.name != AXIS and value != field.default:
                found[field.name] = "unset" if value is None else value
    return found

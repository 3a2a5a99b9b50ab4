"""Speak a script from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.engine.scripts.casting import compose
from workbench.engine.scripts.fitting import Fit, fit
from workbench.engine.scripts.sheets import Sheet, read_sheet
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import Voice

if TYPE_CHECKING:  # it imports torch
    from workbench.engine.speech.results import Run
    from workbench.engine.speech.speaker import OnStep
    from workbench.engine.speech.synthesis import Engine, OnChunk


def speak_script(
    engine: Engine,
    script: str | Path,
    voice: Voice | None = None,
    settings: SynthesisSettings = SynthesisSettings(),
    *,
    cast: dict[str, str] | None = None,
    gap_seconds: float | None = None,
    limits: Fit = Fit(),
    on_step: OnStep | None = None,
    on_chunk: OnChunk | None = None,
    save: bool = True,
) -> Run:
    """Speak a text with tags such as ``[Nora]``, or the script in a file, and return one run with its passages.

    Args:
        engine: its model speaks all of it.
        script: the text, or the path of a .txt, .toml, .srt, .vtt or .ass file.
        voice: of what no tag names; by default that of the file, else the default voice.
        settings: of all passages; a TOML's own are below them only if ``settings`` is the default.
        cast: name in the script to the name of a voice.
        gap_seconds: silence between two passages without a pause or a time; by default that of the file.
        limits: speeds within which passages are fitted into their times.
        on_step, on_chunk, save: as in ``Engine.run``.

    Raises:
        WorkbenchError: the file cannot be read, a voice is unknown, or the text cannot be spoken.
    """
    sheet = read_sheet(script, tuple(cast or ())) if isinstance(script, Path) else Sheet("", script)
    chosen = settings.replace(**sheet.settings) if settings == SynthesisSettings() else settings
    told = sheet.cast(voice, engine.loaded.spec.mel, aliases=cast)
    asked = engine.request("", told.main, chosen)
    request, voices = compose(
        sheet.text, told, chosen, gap_seconds=sheet.gap_seconds if gap_seconds is None else gap_seconds,
        strict=bool(sheet.name), model=asked.model, folder=asked.folder, random_weights=asked.random_weights,
        load=asked.load,
    )  # fmt: skip
    if request.script is None:
        return engine.run(sheet.text, told.main, chosen, on_step=on_step, on_chunk=on_chunk, save=save)
    request = fit(request, voices, engine.prepare, engine.loaded.window_frames, limits)
    first = next(one for one in voices.values() if one.id == request.voice.id)
    run = engine.fulfil(
        request, first, on_step=on_step, on_chunk=on_chunk, begin_long=engine.begin_long if save else None,
        voices=voices,
    )  # fmt: skip
    return engine.kept(run, save)

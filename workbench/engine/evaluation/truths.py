"""Measure the true recordings of a test set: what the same measures give for a person."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.evaluation.lists import Utterance
from workbench.engine.files.writing import write_json
from workbench.engine.measures import Sound
from workbench.engine.runs.measured.making import measure_sound
from workbench.engine.signal.audio import read_audio
from workbench.engine.speech.voices import Voice

log = logging.getLogger("workbench.evaluation")
_FOLDER = "truths"
_BAD = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def _path(folder: Path, utterance: Mapping[str, Any]) -> Path:
    said = json.dumps([utterance["id"], utterance["text"], utterance["truth"]])
    return folder / _FOLDER / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"


def read(folder: Path, utterance: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the measures of the true recording of an entry of evaluation.json; empty if there are none."""
    try:
        values = json.loads(_path(folder, utterance).read_bytes())["values"]
        return {str(name): None if value is None else float(value) for name, value in values.items()}
    except _BAD:
        return {}


def unmeasured(folder: Path, utterances: Sequence[Utterance], sound: Sequence[str]) -> list[Utterance]:
    """Return the utterances whose true recording lacks one of the measures ``sound``."""
    return [u for u in utterances if u.truth and not set(sound) <= read(folder, vars(u)).keys()]


def measure(
    folder: Path,
    utterances: Sequence[Utterance],
    voice_of: Callable[[Utterance], Voice],
    language: str,
    sound: Sequence[str],
    check: Callable[[], None] = lambda: None,
    on_done: Callable[[], None] = lambda: None,
) -> list[str]:
    """Measure the true recordings of ``utterances`` and keep the result in ``folder``.

    Args:
        voice_of: the voice of an utterance, whose reference the recording is compared with.
        language: of the texts, where the utterance names none.
        sound: names of measures.
        check: called before each. Raise from it to stop.

    Returns:
        One line for each recording that could not be measured.

    Raises:
        OSError: ``folder`` cannot be written.
    """
    failed = []
    wanted = [measures.get(name) for name in sound]
    for u in utterances:
        check()
        try:
            subject = _sound(u, voice_of(u), language)
            values = measure_sound(subject, wanted)
        except WorkbenchError as error:
            failed.append(f"the true recording of {u.id}: {error}")
        except Exception as error:  # one recording that a library cannot read must not stop a long evaluation
            log.warning("the true recording of %s cannot be measured", u.id, exc_info=True)
            failed.append(f"the true recording of {u.id}: {type(error).__name__}")
        else:
            write_json(_path(folder, vars(u)), {"id": u.id, "values": read(folder, vars(u)) | values})
        on_done()
    return failed


def _sound(u: Utterance, voice: Voice, language: str) -> Sound:
    config = voice.mel_config
    wave: np.ndarray = read_audio(u.truth, config.target_sample_rate)
    return Sound(wave, config, None, u.text, u.language or language, voice.audio, voice.name)

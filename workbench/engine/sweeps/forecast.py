"""Predict the duration of a sweep from the chunks measured on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from workbench.engine.catalog import get_model
from workbench.engine.errors import WorkbenchError
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.runs.index import chunk_rows
from workbench.engine.runs.store import list_runs
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs
from workbench.engine.speech.passages.planning import plan_script
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk, number_languages
from workbench.engine.speech.voices import Voice
from workbench.engine.sweeps.grid import Trial
from workbench.engine.text.preparing import Prepared, prepare

MEASURED_RUNS = 200  # newest runs; their chunks are enough to fit the cost


def measured_points(model: str, device: str = "", dtype: str = "") -> list[costs.Point]:
    """Return the chunks of the newest runs of ``model`` on one device in one format, by default the newest run's."""
    runs = [run for run in list_runs() if run.model == model and not run.parent]
    if not runs:
        return []
    device, dtype = device or runs[0].device, dtype or runs[0].dtype
    runs = [run for run in runs if (run.device, run.dtype) == (device, dtype)][:MEASURED_RUNS]
    rows = chunk_rows([run.id for run in runs])
    documents = (
        {"id": run.id, "model": run.model, "device": run.device, "dtype": run.dtype, "parent": run.parent,
         "settings": run.settings, "plans": rows.get(run.id, ()), "chunks": rows.get(run.id, ())}
        for run in runs
    )  # fmt: skip
    return costs.points_of(documents, model, device, dtype)


def predicted_seconds(trials: Iterable[Trial], voices: dict[str, Voice]) -> float | None:
    """Return the seconds that one worker needs for ``trials``, without loading; None if too few chunks were measured.

    Trials that differ only in seed and repeat share one plan.

    Args:
        trials: the missing trials.
        voices: id to voice.
    """
    counts = Counter(
        trial.request.replace(settings=trial.request.settings.replace(seed=0), sweep="") for trial in trials
    )
    points: dict[str, list[costs.Point]] = {}
    models: dict[tuple[str, int], costs.CostModel | None] = {}
    total = 0.0
    for request, n in counts.items():
        if request.model not in points:
            points[request.model] = measured_points(request.model)
        key = request.model, costs.passes(request.settings)
        if key not in models:
            models[key] = costs.roughly(points[request.model], key[1])
        cost = models[key]
        if cost is None:
            return None
        chunks = planned(request, voices)
        total += n * sum(cost.seconds(chunk.duration_frames) for chunk in chunks)
    return total


def planned(request: SpeechRequest, voices: Mapping[str, Voice]) -> list[Chunk]:
    """Return the chunks of ``request`` without loading a model; none for a text that cannot be spoken."""
    try:
        spec = get_model(request.model)

        def prepared(words: str, voice: Voice, settings: SynthesisSettings) -> Prepared:
            return prepare(words, None, number_languages(spec.languages, voice.language, settings))

        window = WINDOW_FRAMES[spec.backbone]
        if request.script is not None:
            named = {one.name: voices[one.voice.id] for one in request.script.speakers}
            return plan_script(request, named, prepared, window)
        voice = voices[request.voice.id]
        return voice.plan(prepared(request.text, voice, request.settings), request.settings, window)
    except WorkbenchError:  # it fails at once
        return []

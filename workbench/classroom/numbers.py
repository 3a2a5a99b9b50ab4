"""Stops that count: text, bytes, chunks, time, loading."""

from __future__ import annotations

from workbench.classroom.values import EngineOf, Measured, Question, first
from workbench.engine.speech.results import Run
from workbench.engine.speech.text import byte_budget, conditioning_text, n_bytes
from workbench.engine.timing import total
from workbench.lab.measuring import DEFAULT_TIMEOUT_SECONDS, SOURCE

_ONCE = ("import", "warmup")  # stages of loading that a reload in the same process does not repeat
_SHOWN = 12  # chunks in a row of a table


# Text ----------------------------------------------------------------------------------------------------------------


def ask_text(run: Run) -> Question:
    chunk = first(run).chunk
    return Question(
        f"Chunk {chunk.index + 1} says “{chunk.text}”: {len(chunk.text)} characters. "
        "How many signs of text does the model read while it speaks them?",
        "signs", 0, 5000, 1, max(3.0, 0.05 * len(chunk.text)),
    )  # fmt: skip


def measure_text(run: Run, engine_of: EngineOf) -> Measured:
    chunk, loaded = first(run).chunk, engine_of(run.model).loaded
    before = conditioning_text(run.ref_text)
    n_new, n_all = len(loaded.tokens(chunk.text)), len(loaded.tokens(before + chunk.text))
    frames = chunk.duration_frames
    return Measured(
        n_all,
        (
            f"It reads {n_all} signs: the words of the reference recording first, and only then the {n_new} new ones.",
            "F5-TTS continues a recording, so it must know which words have been heard already.",
            f"The signs are then padded to the {frames} frames of sound: nobody tells the model when each is spoken.",
        ),
        (
            ("words of the reference", run.ref_text),
            ("words of the chunk", chunk.text),
            ("signs of the reference", str(n_all - n_new)),
            ("signs of the chunk", str(n_new)),
            ("frames they are padded to", str(frames)),
        ),
    )


# Bytes ---------------------------------------------------------------------------------------------------------------


def _reference_seconds(run: Run) -> float:
    frames = first(run).chunk.duration_frames - first(run).chunk.new_frames
    return frames / run.mel_config.frames_per_second


def ask_bytes(run: Run) -> Question:
    chunk, seconds = first(run).chunk, _reference_seconds(run)
    speed = f" at speed {run.settings.speed:g}" if run.settings.speed != 1 else ""
    return Question(
        f"The reference says {n_bytes(run.ref_text)} bytes of text in {seconds:.1f} s. Chunk {chunk.index + 1} has "
        f"{chunk.n_bytes} bytes. How many seconds will it last{speed}?",
        "s", 0, 60, 0.1, max(0.3, 0.1 * first(run).audio_seconds),
    )  # fmt: skip


def measure_bytes(run: Run, engine_of: EngineOf) -> Measured:
    result, seconds = first(run), _reference_seconds(run)
    pace, chunk = n_bytes(run.ref_text) / seconds, result.chunk
    longest = max(chunk.text, key=n_bytes)
    return Measured(
        result.audio_seconds,
        (
            f"It lasts {result.audio_seconds:.2f} s, as planned: the reference's pace of {pace:.1f} bytes a second "
            "decides, before a single sample is made.",
            f"Bytes are counted, not letters, so an “é” counts as {n_bytes('é')} and a “你” as {n_bytes('你')} "
            f"(the largest sign here, “{longest.strip() or 'a space'}”, has {n_bytes(longest)}).",
            "A hurried reference or wrong words for it therefore give hurried or drawling speech.",
        ),
        (
            ("bytes of the reference", str(n_bytes(run.ref_text))),
            ("seconds of the reference", f"{seconds:.2f}"),
            ("bytes of the chunk", str(chunk.n_bytes)),
            ("seconds planned", f"{chunk.planned_seconds:.2f}"),
            ("seconds spoken", f"{result.audio_seconds:.2f}"),
        ),
    )


# Chunks --------------------------------------------------------------------------------------------------------------


def _budget(run: Run) -> int:
    if run.settings.max_chunk_bytes is not None:
        return run.settings.max_chunk_bytes
    return byte_budget(run.ref_text, _reference_seconds(run), run.settings)


def ask_chunks(run: Run) -> Question:
    return Question(
        f"The whole text has {n_bytes(run.text)} bytes, and a chunk may have {_budget(run)}. "
        "Into how many chunks is it cut?",
        "chunks", 1, 10_000, 1, 0.0,
    )  # fmt: skip


def measure_chunks(run: Run, engine_of: EngineOf) -> Measured:
    sizes, budget = [c.chunk.n_bytes for c in run.chunks], _budget(run)
    fewest = -(-n_bytes(run.text) // budget)
    more = f" and {len(sizes) - _SHOWN} more" if len(sizes) > _SHOWN else ""
    return Measured(
        len(sizes),
        (
            f"Into {len(sizes)}. Division alone gives {fewest}; a cut falls at the end of a sentence or clause, never "
            "inside a word, so it may take more.",
            f"The chunks have {min(sizes)} to {max(sizes)} bytes and are spoken one after the other, each as a "
            "continuation of the same reference.",
            "Small chunks are heard sooner, and each pays for the reference again; that trade is the page Chunk size.",
        ),
        (
            ("largest chunk allowed", f"{budget} bytes"),
            ("bytes of each chunk", ", ".join(map(str, sizes[:_SHOWN])) + more),
            ("first words of each", " | ".join(" ".join(c.chunk.text.split()[:3]) for c in run.chunks[:_SHOWN]) + more),
        ),
    )


# Time and loading ----------------------------------------------------------------------------------------------------


def ask_time(run: Run) -> Question:
    return Question(
        f"This run took {run.total_seconds:.1f} s for {run.audio_seconds:.1f} s of speech: text, "
        f"{run.settings.nfe_step} steps of the ODE, vocoder. What share of it did the ODE take?",
        "%", 0, 100, 1, 8.0,
    )  # fmt: skip


def measure_time(run: Run, engine_of: EngineOf) -> Measured:
    parts = {name: total(run.spans, name) for name in ("text", "ode", "vocoder")}
    spent = sum(parts.values())
    value = 100 * parts["ode"] / spent if spent else 0.0
    each = parts["ode"] / max(1, sum(len(c.timing.step_seconds) for c in run.chunks))
    return Measured(
        value,
        (
            f"{value:.0f} %: the transformer runs once in every step of every chunk, "
            f"{1000 * each:.0f} ms each time on this machine.",
            "So half the steps take about half the time of the ODE: their number is the knob for speed.",
            f"The first sound was there after {run.time_to_first_audio_seconds:.2f} s, long before the end, because "
            "chunks are played as they are finished.",
        ),
        (
            *((f"{name}, seconds", f"{seconds:.3f}") for name, seconds in parts.items()),
            ("seconds of the run", f"{run.total_seconds:.3f}"),
            ("real-time factor", f"{run.rtf:.2f}" if run.rtf is not None else "nothing was made"),
        ),
    )


def _loading(run: Run) -> dict[str, float]:
    """Stage to seconds of the loading before this run."""
    before = [span for span in run.spans if span.start_seconds < 0 and span.chunk_index is None]
    return {name: sum(s.seconds for s in before if s.name == name) for name in dict.fromkeys(s.name for s in before)}


def ask_loading(run: Run) -> Question:
    return Question(
        f"The models were loaded once, and {len(run.chunks)} chunks were spoken in {run.total_seconds:.1f} s. If a "
        "program read them again for every chunk, by how much longer would the run take?",
        "%", 0, 10_000, 1, 25.0,
    )  # fmt: skip


def measure_loading(run: Run, engine_of: EngineOf) -> Measured:
    stages = _loading(run)
    again = sum(seconds for name, seconds in stages.items() if name not in _ONCE)
    value = 100 * again * len(run.chunks) / max(run.total_seconds, 1e-9)
    return Measured(
        value,
        (
            f"By {value:.0f} %: reading and building took {again:.2f} s here, times {len(run.chunks)} chunks.",
            "The program with which this project began did so, and asked a server for its files each time; when the "
            f"server did not answer, each question cost {DEFAULT_TIMEOUT_SECONDS} s, and {SOURCE['characters']} "
            f"characters took {SOURCE['words']}.",
            "Nobody saw it, since every single load looks harmless: count the loads, not only the seconds.",
        ),
        (
            *((f"{name}, seconds", f"{seconds:.3f}") for name, seconds in stages.items()),
            ("loads in this process", ", ".join(f"{kind} {n}" for kind, n in run.loads.items())),
        ),
    )

"""Exports: what another program reads is what was made."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import zipfile
from typing import Any

import numpy as np
import pytest
import soundfile

from workbench.engine.runs import exports
from workbench.engine.settings import SynthesisSettings
from workbench.engine.timing import Sample

TEXT = "He said stop, now. The second one follows it, at once. A third ends the text."


@pytest.fixture(scope="module")
def run(tiny_engine: Any, voice: Any) -> Any:
    made = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=40))
    first = dataclasses.replace(
        made.chunks[0], chunk=dataclasses.replace(made.chunks[0].chunk, text='He said "stop", =')
    )
    made = dataclasses.replace(made, chunks=(first, *made.chunks[1:]))
    return dataclasses.replace(made, utilisation=(Sample(0.1, 50.0, 40.0, 10**9), Sample(0.2, 60.0, 50.0, 2 * 10**9)))


@pytest.mark.parametrize("make", [exports.wav, exports.flac])
def test_sound_is_the_speech_at_its_level(run: Any, make: Any) -> None:
    wave, rate = soundfile.read(io.BytesIO(make(run)), dtype="float32")
    assert rate == run.sample_rate and len(wave) == len(run.wave)
    assert np.abs(wave - np.clip(run.wave, -1, 1)).max() < 1 / 2**14


def test_timings_have_a_row_per_chunk_whose_stages_add_up(run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(exports.timings_csv(run))))
    assert [row["text"] for row in rows] == [c.chunk.text for c in run.chunks]
    for row, start in zip(rows, run.starts, strict=True):
        stages = sum(float(row[name]) for name in ("text_seconds", "ode_seconds", "vocoder_seconds"))
        assert stages == pytest.approx(float(row["total_seconds"]), rel=0.05)
        assert float(row["start_seconds"]) == pytest.approx(start / run.sample_rate, abs=1e-5)


def test_the_text_grid_covers_the_sound_without_gaps(run: Any) -> None:
    grid = exports.text_grid(run)
    low = [float(v) for v in re.findall(r"^ {12}xmin = (\S+)$", grid, re.M)]
    high = [float(v) for v in re.findall(r"^ {12}xmax = (\S+)$", grid, re.M)]
    texts = re.findall(r'^ {12}text = "(.*)"$', grid, re.M)
    assert len(low) == len(run.chunks) and low[0] == 0 and high[-1] == pytest.approx(run.audio_seconds, abs=1e-5)
    assert low[1:] == high[:-1] and all(a < b for a, b in zip(low, high, strict=True))
    assert [t.replace('""', '"') for t in texts] == [c.chunk.text for c in run.chunks]
    assert '""stop' in grid and grid.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    assert f"intervals: size = {len(run.chunks)}" in grid


def test_the_trace_holds_every_span_and_sample(run: Any) -> None:
    events = json.loads(exports.trace_json(run))["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    assert len(spans) == len(run.spans) and min(e["ts"] for e in spans) == 0
    assert {e["name"] for e in spans} >= {"ode", "ode.step", "vocoder", "text"}
    ode = [e for e in spans if e["name"] == "ode"]
    assert [e["dur"] / 1e6 for e in ode] == pytest.approx([c.timing.ode_seconds for c in run.chunks])
    assert len({e["tid"] for e in ode}) == len(run.chunks)
    named = {e["tid"] for e in events if e["name"] == "thread_name"}
    assert named == {e["tid"] for e in spans}
    memory = [e["args"]["MB"] for e in events if e["ph"] == "C" and e["name"] == "memory"]
    assert memory == pytest.approx([1000, 2000]) and not any(e["name"] == "gpu" for e in events)


def test_the_zip_holds_everything_under_safe_names(run: Any) -> None:
    with zipfile.ZipFile(io.BytesIO(exports.everything_zip(run))) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        mel = np.load(io.BytesIO(archive.read("mel.npy")), allow_pickle=False)
        document = json.loads(archive.read("run.json"))
    chunks = {f"chunks/{i + 1:03d}.wav" for i in range(len(run.chunks))}
    assert names == chunks | {
        *(
            "speech.wav",
            "speech.flac",
            "timings.csv",
            "chunks.TextGrid",
            "trace.json",
            "run.json",
            "text.txt",
            "mel.npy",
        )
    }
    assert np.array_equal(mel, run.mel) and document["text"] == TEXT
    assert re.fullmatch(r"[0-9A-Za-z-]+", exports.file_stem(run))


def test_borders_of_chunks_lie_in_the_middle_of_their_fades(run: Any) -> None:
    found = exports.chunk_intervals(run)
    assert len(run.chunks) > 1
    for (_, end, _), start, before, first in zip(found, run.starts[1:], run.chunks, run.starts, strict=False):
        middle = (start + first + len(before.wave)) / 2 / run.sample_rate
        assert end == pytest.approx(middle)

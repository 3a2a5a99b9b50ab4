"""Exports: other programs read back the data of the run."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import shlex
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from workbench.engine import measures, rules
from workbench.engine.errors import RunError
from workbench.engine.runs import exports, index, store
from workbench.engine.runs.exports.readme import command
from workbench.engine.runs.exports.textgrid import chunk_intervals
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.signal.phonetics import contours
from workbench.engine.speech.voices import make_voice
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


def made(name: str, run: Any) -> str:
    return exports.get(name).make(run).decode()


def unzipped(run: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(exports.get("zip").make(run))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_sound_is_the_speech_at_its_level(run: Any, name: str) -> None:
    wave, rate = soundfile.read(io.BytesIO(exports.get(name).make(run)), dtype="float32")
    assert rate == run.sample_rate and len(wave) == len(run.wave)
    assert np.abs(wave - np.clip(run.wave, -1, 1)).max() < 1 / 2**14


def test_timings_have_a_row_per_chunk_whose_stages_add_up(run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(made("csv", run))))
    assert [row["text"] for row in rows] == [c.chunk.text for c in run.chunks]
    for row, start in zip(rows, run.starts, strict=True):
        stages = sum(float(row[name]) for name in ("text_seconds", "ode_seconds", "vocoder_seconds"))
        assert stages == pytest.approx(float(row["total_seconds"]), rel=0.05)
        assert float(row["start_seconds"]) == pytest.approx(start / run.sample_rate, abs=1e-5)


def test_the_text_grid_covers_the_sound_without_gaps(run: Any) -> None:
    grid = made("textgrid", run)
    low = [float(v) for v in re.findall(r"^ {12}xmin = (\S+)$", grid, re.M)]
    high = [float(v) for v in re.findall(r"^ {12}xmax = (\S+)$", grid, re.M)]
    texts = re.findall(r'^ {12}text = "(.*)"$', grid, re.M)
    assert len(low) == len(run.chunks) and low[0] == 0 and high[-1] == pytest.approx(run.audio_seconds, abs=1e-5)
    assert low[1:] == high[:-1] and all(a < b for a, b in zip(low, high, strict=True))
    assert [t.replace('""', '"') for t in texts] == [c.chunk.text for c in run.chunks]
    assert '""stop' in grid and grid.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    assert f"intervals: size = {len(run.chunks)}" in grid


def test_the_trace_holds_every_span_and_sample(run: Any) -> None:
    events = json.loads(made("trace", run))["traceEvents"]
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


def test_every_measure_of_a_chunk_is_a_column(run: Any) -> None:
    for row in csv.DictReader(io.StringIO(made("csv", run))):
        for one in measures.every(measures.CHUNK, measures.SOUND):
            assert one.needs or row[one.name] == "" or np.isfinite(float(row[one.name])), one.name
        # seconds are rounded
        assert float(row["rtf"]) == pytest.approx(float(row["total_seconds"]) / float(row["audio_seconds"]), rel=1e-3)
        assert float(row["peak_dbfs"]) < 1


@pytest.mark.parametrize("one", exports.every(), ids=lambda one: one.name)
def test_each_export_has_content_and_a_name_that_is_safe(run: Any, one: exports.Export) -> None:
    assert len(one.make(run)) > 100
    assert re.fullmatch(r"f5tts-[0-9A-Za-z-]+(\.[A-Za-z]+)+", one.file_name(run)) and one.label and one.about
    odd = dataclasses.replace(run, id="../x\n<b>")
    assert re.fullmatch(r"f5tts-[0-9A-Za-z_-]+(\.[A-Za-z]+)+", one.file_name(odd))


def test_an_export_that_is_not_there_is_named() -> None:
    with pytest.raises(RunError, match=r"no export 'mp3'.*Known: wav, flac"):
        exports.get("mp3")


def test_two_exports_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="share a name"):
        exports.export("wav", ".other", "audio/wav", "x", "x")(lambda run: b"")
    with pytest.raises(ValueError, match="share a name"):
        exports.export("other", ".x", "audio/wav", "x", "x", member="speech.wav")(lambda run: b"")


def test_the_zip_holds_everything_under_safe_names(run: Any) -> None:
    files = unzipped(run)
    chunks = {f"chunks/{i + 1:03d}.wav" for i in range(len(run.chunks))}
    others = {one.member: one for one in exports.every() if one.name != "zip"}
    reference = {"reference.wav", "reference.txt"}
    assert set(files) == chunks | set(others) | reference | {"run.json", "text.txt", "mel.npy", "README.txt"}
    tables = {"timings.csv", "contours.csv", "mel.csv", "chunks.TextGrid", "trace.json", "speech.srt", "speech.vtt"}
    assert set(others) == {"speech.wav", "speech.flac"} | tables
    for name, one in others.items():
        assert files[name] == one.make(run)
    mel = np.load(io.BytesIO(files["mel.npy"]), allow_pickle=False)
    assert np.array_equal(mel, run.mel) and json.loads(files["run.json"])["text"] == TEXT
    wave, _ = soundfile.read(io.BytesIO(files["chunks/002.wav"]), dtype="float32")
    assert len(wave) == len(run.chunks[1].wave)


def test_the_zip_holds_the_reference_that_was_saved_with_the_run(run: Any, voice: Any) -> None:
    path = store.save_run(run) / "reference.wav"
    files = unzipped(store.load_run(run.id))
    heard, _ = soundfile.read(io.BytesIO(files["reference.wav"]), dtype="float32")
    assert np.array_equal(heard, voice.audio) and files["reference.txt"].decode() == run.ref_text
    assert "--ref-audio=reference.wav" in files["README.txt"].decode()
    path.write_bytes(b"not a recording")
    assert "reference.wav" not in unzipped(store.load_run(run.id))
    path.unlink()
    os.mkfifo(path)  # reading it would wait for ever
    assert "reference.wav" not in unzipped(store.load_run(run.id))


def test_the_readme_names_every_file_and_its_command_is_the_run(run: Any) -> None:
    files = unzipped(run)
    readme = files["README.txt"].decode()
    for name in set(files) - {"README.txt"}:
        assert name in readme or name.startswith("chunks/")
    (line,) = (line for line in readme.splitlines() if line.startswith("    python"))
    assert shlex.split(line) == command(run, own_reference=True)


def test_the_command_of_the_readme_names_all_that_decides_the_sound(run: Any) -> None:
    """Folder, random weights and each load setting that is not at its default; what "auto" became, by name."""
    plain = dataclasses.replace(run, request=run.request.replace(folder="", random_weights=False))
    words = command(plain, own_reference=False)
    assert {f"--device={run.device}", f"--dtype={run.dtype}"} <= set(words)
    assert not [w for w in words if w.startswith(("--folder", "--random-weights"))]
    request = run.request.replace(folder="/models/of mine", random_weights=True)
    words = command(dataclasses.replace(run, request=request), own_reference=False)
    assert {"--folder=/models/of mine", "--random-weights"} <= set(words)
    usual = dataclasses.replace(run, device="auto", dtype="auto", environment={"backend": "of a newer version"})
    flags = [w for w in command(usual, own_reference=False) if w.startswith(("--device", "--dtype", "--backend"))]
    assert flags == []
    eager = dataclasses.replace(run, environment={"backend": "eager, with notes"})
    assert "--backend=eager" in command(eager, own_reference=False)  # what "auto" became


@pytest.mark.parametrize("own_reference", [True, False])
def test_the_command_of_the_readme_gives_the_same_samples(
    tiny_engine: Any, voice: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_reference: bool
) -> None:
    """It is run in the unpacked folder, with the tiny engine in place of the model it names."""
    from workbench.cli import main

    words = "It's \"own\" text; others call me -- 'mother' nature."
    speaker = make_voice(to_bytes(voice.audio, 24_000), words) if own_reference else voice
    settings = SynthesisSettings(
        nfe_step=3, max_chunk_bytes=40, seed=11, cfg_strength=0.0, use_epss=False, sway_sampling_coef=None
    )
    run = tiny_engine.run('He\'s "here" -- all of it, now.\nThe second line.', speaker, settings)
    kept = run.reference if own_reference else None
    run = dataclasses.replace(run, request=run.request.replace(model="demo-voice"), reference=kept)
    for name, content in unzipped(run).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    asked: list[Any] = []
    monkeypatch.setattr(
        "workbench.engine.speech.synthesis.load_engine", lambda *given, **named: asked.append(given) or tiny_engine
    )
    monkeypatch.chdir(tmp_path)
    (line,) = (line for line in (tmp_path / "README.txt").read_text().splitlines() if line.startswith("    python"))
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line)[3:])
    assert not ended.value.code and asked
    again, _ = soundfile.read(tmp_path / "again.wav", dtype="int16")
    first, _ = soundfile.read(tmp_path / "speech.wav", dtype="int16")
    assert np.array_equal(again, first)


def test_the_readme_says_which_chunks_were_made_again(run: Any) -> None:
    changed = dataclasses.replace(run, chunks=(run.chunks[0], dataclasses.replace(run.chunks[1], seed=77)))
    assert "chunks 2 (seed 77)" in unzipped(changed)["README.txt"].decode()
    assert "made again" not in unzipped(run)["README.txt"].decode()


def test_borders_of_chunks_lie_in_the_middle_of_their_fades(run: Any) -> None:
    found = chunk_intervals(run)
    assert len(run.chunks) > 1
    for (_, end, _), start, before, first in zip(found, run.starts[1:], run.chunks, run.starts, strict=False):
        middle = (start + first + len(before.wave)) / 2 / run.sample_rate
        assert end == pytest.approx(middle)


def test_contours_and_mel_are_the_sheets_of_the_page(run: Any) -> None:
    """F0 where the page draws it; the mel of the model in dB, one row for each frame of the run."""
    sound = measures.Sound.of_run(run)
    rows = list(csv.DictReader(io.StringIO(made("contours", run))))
    assert [float(row["time_s"]) for row in rows] == pytest.approx(sound.pitch.seconds, abs=1e-4)
    f0 = [float(row["f0_hz"] or "nan") for row in rows]
    assert np.allclose(f0, sound.pitch.hz, atol=1e-3, equal_nan=True)
    assert all(row["intensity_dbfs"] for row in rows) and ("f1_hz" in rows[0]) == (not contours.lacking())
    head, *mel = csv.reader(io.StringIO(made("mel", run)))
    assert head[0] == "time_s" and head[1].startswith("db_at_") and head[1].endswith("_hz") and len(head) == 101
    assert np.allclose(np.array(mel, float)[:, 1:], sound.model_decibels, atol=1e-3)


def test_a_long_run_is_analysed_chunk_by_chunk_and_its_zip_goes_without(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rules, "LONG_RUN_CHUNKS", 1)
    assert run.is_long
    for name, heads in (("contours", "time_s,f0_hz"), ("mel", "time_s,db_at")):
        text = made(name, run)
        exports.get(name).write(run, tmp_path / name)
        assert (tmp_path / name).read_bytes() == text.encode() and text.count(heads) == 1
        times = [float(row[0]) for row in list(csv.reader(io.StringIO(text)))[1:]]
        starts = [start / run.sample_rate for start in run.starts]
        assert all(any(abs(time - start) < 1e-3 for time in times) for start in starts)
        assert max(times) == pytest.approx(run.audio_seconds, abs=0.05)
        assert exports.get(name).member not in unzipped(run)


def test_chunks_count_from_one_wherever_people_read_them(run: Any) -> None:
    numbers = [str(k + 1) for k in range(len(run.chunks))]
    assert [row["chunk"] for row in csv.DictReader(io.StringIO(made("csv", run)))] == numbers
    stages = [e for e in json.loads(made("trace", run))["traceEvents"] if e["ph"] == "X" and "args" in e]
    assert {str(e["args"]["chunk"]) for e in stages} == set(numbers)
    store.save_run(run)
    assert [
        str(n) for (n,) in index.ask(f"SELECT chunk FROM chunks WHERE run_id = '{run.id}' ORDER BY 1")[1]
    ] == numbers

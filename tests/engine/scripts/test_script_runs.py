"""A script of three voices, five passages and two pauses: every form of it agrees to the sample."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pysubs2
import pytest
import soundfile
import webvtt

from tests.engine.scripts.conftest import QUICK, SCRIPT, fulfilled
from workbench.engine.measures import Sound
from workbench.engine.runs import exports, store
from workbench.engine.runs.exports.pieces import chapters, passages, pieces_zip, write_pieces
from workbench.engine.runs.exports.textgrid import tiers
from workbench.engine.runs.parts import making, unfinished
from workbench.engine.scripts import compose, rows_of_run
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes

SPEAKERS = ["Nora", "Arthur", "Clara", "Nora", "Arthur"]


def as_pcm(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]


def whole_pcm(run: Any) -> np.ndarray:
    return soundfile.read(io.BytesIO(to_bytes(run.wave, run.sample_rate)), dtype="int16")[0]


def borders(run: Any) -> list[int]:
    """Samples at which the passages begin."""
    return [run.starts[piece.first] for piece in passages(run)]


def test_the_script_is_as_written(run: Any) -> None:
    assert [piece.title for piece in passages(run)] == SPEAKERS and len(run.chunks) > 5
    pauses = [run.chunks[piece.last].chunk.pause_seconds for piece in passages(run)]
    assert pauses == [0.7, 0, 0.3, 0, 0]
    seeds = [run.chunks[piece.first].seed for piece in passages(run)]
    assert seeds == [0, 4, 0, 0, 0] and run.chunks[1].seed == 1, "each passage counts from its own seed"
    first, second = run.chunks[0].chunk, run.chunks[1].chunk
    assert SCRIPT[first.start : second.end] == "The lake was calm. A boat went by, slowly."


def test_a_passage_sounds_the_same_alone(run: Any, tiny_engine: Any, cast: Any) -> None:
    alone = tiny_engine.run("I do not believe a word of it.", cast.load("Arthur"),
                            QUICK.replace(speed=0.9, seed=4), save=False)  # fmt: skip
    piece = passages(run)[1]
    inside = run.wave[run.starts[piece.first] : borders(run)[2]]
    assert np.array_equal(alone.wave, inside)
    third = tiny_engine.run("He never does.", cast.main, QUICK.replace(nfe_step=3), save=False)
    assert np.array_equal(third.wave, run.wave[borders(run)[3] : borders(run)[4]])


def test_one_passage_in_one_voice_is_the_ordinary_run(speak: Any, tiny_engine: Any, cast: Any) -> None:
    text = "The lake was calm. A boat went by, slowly."
    assert np.array_equal(speak(f"[Nora] {text}").wave, tiny_engine.run(text, cast.main, QUICK, save=False).wave)


def test_lengths_are_known_before_synthesis(run: Any) -> None:
    assert [round(c.chunk.planned_seconds * run.sample_rate) for c in run.chunks] == [c.n_samples for c in run.chunks]


def test_files_of_passages_are_the_run_to_the_sample(run: Any, tmp_path: Path) -> None:
    made = write_pieces(run, tmp_path / "passages", "passage", ".wav")
    assert [path.stem for path in made] == [f"{k} {name}" for k, name in enumerate(SPEAKERS, 1)]
    assert np.array_equal(np.concatenate([as_pcm(path) for path in made]), whole_pcm(run))
    lengths = np.cumsum([0, *(len(as_pcm(path)) for path in made)])
    assert lengths[:-1].tolist() == borders(run)


def test_files_of_speakers_add_up_to_the_run(run: Any, tmp_path: Path) -> None:
    made = {path.stem[2:]: as_pcm(path) for path in write_pieces(run, tmp_path / "speakers", "speaker", ".wav")}
    assert list(made) == ["Nora", "Arthur", "Clara"]
    assert np.array_equal(sum(made.values()), whole_pcm(run))
    rate, (_, speaking) = run.sample_rate, tiers(run)[1]
    for low, high, name in speaking:
        for other, wave in made.items():
            if name and other != name:
                assert not wave[round(low * rate) : round(high * rate)].any()


def test_the_textgrid_has_every_border_to_the_sample(run: Any) -> None:
    grid = exports.get("textgrid").make(run).decode()
    assert [name for name, _ in tiers(run)] == ["chunks", "speakers", "passages"] and "size = 3" in grid
    times = re.findall(r"xmin = ([\d.]+)\n +xmax = ([\d.]+)\n +text = \"(.*)\"", grid.split('"passages"')[1])
    starts = {int(n): round(float(low) * run.sample_rate) for low, _, n in times if n}
    assert list(starts.values()) == borders(run)
    assert all(abs(float(low) * run.sample_rate - at) < 0.02 for (low, _, n), at in zip(
        [t for t in times if t[2]], borders(run), strict=True))  # fmt: skip
    ends = [float(high) for _, high, _ in times]
    assert ends[-1] == pytest.approx(run.audio_seconds, abs=1e-6)
    names = re.findall(r'text = "(.*)"', grid.split('"speakers"')[1].split('"passages"')[0])
    assert [name for name in names if name] == SPEAKERS


def test_subtitles_have_every_border_to_their_millisecond(run: Any) -> None:
    srt = pysubs2.SSAFile.from_string(exports.get("srt").make(run).decode(), format_="srt")
    vtt = webvtt.from_buffer(io.StringIO(exports.get("vtt").make(run).decode()), "vtt")
    firsts = [piece.first for piece in passages(run)]
    assert len(srt) == len(vtt.captions) == len(run.chunks)
    for k, at in zip(firsts, borders(run), strict=True):
        assert srt[k].start == round(at / run.sample_rate * 1000)
        assert vtt[k].start_in_seconds * 1000 == pytest.approx(srt[k].start, abs=1000)
    assert srt[len(srt) - 1].end == round(run.audio_seconds * 1000)
    assert [vtt[k].voice for k in firsts] == SPEAKERS
    assert srt[0].plaintext.startswith("[Nora] The lake")
    assert all(a.end <= b.start for a, b in itertools.pairwise(srt))


def test_the_table_says_the_same(run: Any) -> None:
    rows = rows_of_run(run)
    assert [round(row.start * run.sample_rate) for row in rows] == borders(run)
    assert [row.speaker for row in rows] == SPEAKERS and rows[1].speed == 0.9
    sheet = list(csv.DictReader(io.StringIO(exports.get("csv").make(run).decode())))
    starts = [round(float(row["start_seconds"]) * run.sample_rate) for row in sheet]
    assert starts == run.starts


def test_it_is_saved_listed_and_read_again(run: Any) -> None:
    store.save_run(run)
    again = store.load_run(run.id)
    assert np.array_equal(again.wave, run.wave) and again.starts == run.starts
    assert again.request.script == run.request.script.replace(speakers=again.request.script.speakers)
    assert {v.id for v in again.request.voices} == {v.id for v in run.request.voices}
    assert all(Path(v.recording).is_file() for v in again.request.voices)
    assert all(np.array_equal(again.references[k], wave) for k, wave in run.references.items())
    assert len(run.references) == 2
    (summary,) = store.list_runs()
    assert summary.voice == "Nora, Arthur, Clara" and summary.text == SCRIPT


def test_measures_compare_each_chunk_with_its_own_voice(run: Any, cast: Any) -> None:
    k = passages(run)[1].first
    sound = Sound.of_chunk(run.chunks[k], run.mel_config, run)
    assert sound.voice == "Arthur" and np.array_equal(sound.reference, cast.load("Arthur").audio)


def test_a_chunk_of_a_script_is_made_again_by_its_own_voice(run: Any, tiny_engine: Any, cast: Any) -> None:
    from workbench.engine.speech.requests import Remake

    k = passages(run)[2].first
    voices = {name: cast.load(name) for name in ("Nora", "Arthur", "Clara")}
    wanted = run.request.replace(remake=Remake(run.id, k, None, "Then go and look."))
    again = fulfilled(tiny_engine, wanted, voices, cast, base=run)
    assert "[Clara] Then go and look. [pause 300ms]" in again.text
    said = [again.text[p.start : p.end] for p in again.request.script.passages]
    assert said[2].startswith("Then go and look.") and said[3] == "He never does." and said[4] == "Not today."
    same = tiny_engine.run("Then go and look.", cast.load("Clara"), QUICK, save=False)
    assert np.array_equal(again.chunks[k].wave, same.chunks[0].wave)


def test_chapters_are_found_between_tags(speak: Any) -> None:
    run = speak("[Clara] One\n\n[Nora] A long enough line is here.\n\n[Clara] Two\n\n[Arthur] And it ends there.")
    assert [(piece.title, piece.first) for piece in chapters(run)] == [("One", 0), ("Two", 2)]


def test_a_zip_holds_the_files_and_the_script_that_repeats_it(run: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(pieces_zip(run, "speaker"))) as archive:
        assert archive.namelist() == ["1 Nora.wav", "2 Arthur.wav", "3 Clara.wav"]
    with zipfile.ZipFile(io.BytesIO(exports.get("zip").make(run))) as archive:
        archive.extractall(tmp_path)
        readme = archive.read("README.txt").decode()
    assert "--script=script.toml --fit=off" in readme and "voices Nora, Arthur, Clara" in readme
    assert "made again alone" not in readme


def test_the_script_of_the_zip_speaks_the_same(run: Any, tiny_engine: Any, tmp_path: Path) -> None:
    from workbench.engine.scripts import read_sheet

    with zipfile.ZipFile(io.BytesIO(exports.get("zip").make(run))) as archive:
        archive.extractall(tmp_path)
    sheet = read_sheet(tmp_path / "script.toml")
    told = sheet.cast(None)
    request, voices = compose(sheet.text, told, QUICK, strict=True, model="tiny")
    again = fulfilled(tiny_engine, request, voices, told)
    assert [c.chunk.text for c in again.chunks] == [c.chunk.text for c in run.chunks]
    assert again.starts == run.starts and [c.seed for c in again.chunks] == [c.seed for c in run.chunks]


def test_a_long_script_is_kept_chunk_by_chunk_and_goes_on(tiny_engine: Any, cast: Any) -> None:
    lines = [f"[{name}] This is sentence number {k} of a long script." for k in range(36) for name in ("Nora", "Clara")]
    request, voices = compose("\n".join(lines), cast, SynthesisSettings(nfe_step=1), model="tiny")
    run_id, made = "20260101-000000-abcdef", []

    def stop(result: Any) -> None:
        made.append(result)
        if len(made) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fulfilled(tiny_engine, request, voices, cast, run_id=run_id, begin_long=making.begin, on_chunk=stop)
    left = unfinished.request_of(run_id)
    assert left.script is not None and all(Path(v.recording).is_file() for v in left.voices)
    run = fulfilled(tiny_engine, left, voices, cast, run_id=run_id, begin_long=making.begin)
    store.save_run(run)
    whole = fulfilled(tiny_engine, request, voices, cast)
    again = store.load_run(run_id)
    assert again.is_long and again.starts == whole.starts
    assert np.array_equal(np.concatenate(list(again.blocks())), whole.wave)


def test_trajectories_have_the_steps_of_their_passage(speak: Any) -> None:
    run = speak("[Nora nfe=3] The lake was calm. [Clara] Come.", QUICK.replace(keep_trajectory=True))
    store.save_run(run)
    again = store.load_run(run.id)
    assert [len(c.trajectory.distances) for c in again.chunks] == [3, 2]

"""Measures agree with closed forms, and every display agrees with the registry."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from workbench.engine import measures
from workbench.engine.errors import AudioError
from workbench.engine.measures import CHUNK, INSTANT, PAIR, RUN, SOUND, Pair, Sound, Times
from workbench.engine.measures.registry import measure
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.pitch import Pitch

RATE = MelConfig().target_sample_rate
TEXT = "The first sentence is here. The second one follows it."


@pytest.fixture(scope="module")
def run(tiny_engine: Any, voice: Any) -> Any:
    return tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=40))


def _hum(mel: np.ndarray, hz: float) -> Pitch:
    """A steady voice over the frames of ``mel``."""
    steady = np.full(len(mel), hz)
    return Pitch(np.arange(len(mel)) / 93.75, steady, np.zeros(len(mel)))


def subject(level: str, run: Any) -> Any:
    document = run.as_dict()
    return {
        RUN: lambda: Times.of_run(document),
        CHUNK: lambda: Times.of_chunk(document["chunks"][0]),
        SOUND: lambda: Sound.of_run(run),
        PAIR: lambda: Pair(run.mel, run.mel[:-3], (_hum(run.mel, 120.0), _hum(run.mel[:-3], 130.0))),
    }[level]()


@pytest.mark.parametrize("one", measures.every(), ids=lambda one: one.name)
def test_each_measure_gives_a_finite_number_and_says_what_it_is(one: measures.Measure, run: Any) -> None:
    assert one.name.isidentifier() and one.about.endswith(".") and one.label and one.better in ("", "lower", "higher")
    for level in one.of:
        value = one.value(subject(level, run))
        assert value is None or math.isfinite(value)
        assert one.shown(value).endswith(one.unit if value is not None else "-")
    assert one.title.endswith(f"({one.unit})") or not one.unit


def test_a_value_is_there_for_most(run: Any) -> None:
    for level, may_lack in (
        (RUN, {"reference_mel_seconds", "reuse_seconds", "keep_seconds"}),
        (CHUNK, set()),
        (PAIR, set()),
    ):
        missing = {name for name, value in measures.values(level, subject(level, run)).items() if value is None}
        assert missing <= may_lack


def test_what_no_stage_explains_is_other() -> None:
    row = {"audio_seconds": 2.0, "text_seconds": 0.1, "ode_seconds": 3.0, "vocoder_seconds": 0.4,
           "total_seconds": 3.5, "step_seconds": [1.0, 2.0]}  # fmt: skip
    spans = [
        {"name": "warmup", "start_seconds": -4.0, "seconds": 4.0},
        {"name": "reference_mel", "start_seconds": 0.0, "seconds": 0.25},
        {"name": "ode", "start_seconds": 0.3, "seconds": 3.0},
        {"name": "ode.step", "start_seconds": 0.3, "seconds": 1.0},
    ]
    document = {"chunks": [row, row], "spans": spans, "audio_seconds": 4.0, "total_seconds": 8.0,
                "time_to_first_audio_seconds": 3.6}  # fmt: skip
    times = Times.of_run(document)
    assert times.stages == pytest.approx(
        {"reference_mel": 0.25, "text": 0.2, "ode": 6.0, "vocoder": 0.8, "other": 0.75}
    )
    found = measures.values(RUN, times)
    assert found["other_seconds"] == pytest.approx(0.75) and found["cross_fade_seconds"] is None
    assert found["rtf"] == 2.0 and found["first_audio_seconds"] == 3.6
    chunk = measures.values(CHUNK, Times.of_chunk(row))
    assert chunk["rtf"] == 1.75 and chunk["mean_step_seconds"] == 1.5 and "first_audio_seconds" not in chunk
    assert Times.of_run(document | {"total_seconds": 1.0}).stages["other"] == 0.0


def test_the_stages_of_a_real_run_and_the_rest_are_the_whole_run(run: Any) -> None:
    times = Times.of_run(run.as_dict())
    assert sum(times.stages.values()) == pytest.approx(run.total_seconds)
    assert 0 <= times.stages["other"] < 0.2 * run.total_seconds


def test_known_are_those_that_somebody_has_a_number_for(run: Any) -> None:
    listed, nothing = Times(2.0, 3.0, 1.0, rtf=1.5), Times(0.0, 3.0)
    found = {m.name for m in measures.known(RUN, [nothing, listed])}
    assert found >= {"rtf", "first_audio_seconds"} and "ode_seconds" not in found
    assert "rtf" not in {m.name for m in measures.known(RUN, [nothing])} and measures.known(RUN, []) == []


def test_level_peak_and_clipping() -> None:
    sine = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32)
    found = measures.values(SOUND, Sound(0.5 * sine), light=True)
    assert found["level_dbfs"] == pytest.approx(-9.03, abs=0.01) and found["peak_dbfs"] == pytest.approx(
        -6.02, abs=0.01
    )
    assert found["clipped_percent"] == 0
    loud = measures.values(SOUND, Sound(np.array([1.0, -1.5, 0.2, 0.1], np.float32)), light=True)
    assert loud["clipped_percent"] == 50 and loud["peak_dbfs"] == pytest.approx(3.52, abs=0.01)


def test_pitch_and_voicing(speech: np.ndarray) -> None:
    found = measures.values(SOUND, Sound(speech), light=True)
    assert found["median_f0_hz"] == pytest.approx(120, rel=0.01) and 20 < found["voiced_percent"] < 80
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    silent = measures.values(SOUND, Sound(noise), light=True)
    assert silent["median_f0_hz"] is None and silent["voiced_percent"] < 3


def test_the_level_of_the_audio_and_what_the_vocoder_changed(speech: np.ndarray) -> None:
    mel = mel_spectrogram(speech)
    same = measures.values(SOUND, Sound(speech, mel=mel))
    assert same["level_offset_db"] == 0 and same["vocoder_change_db"] == 0
    quieter = measures.values(SOUND, Sound(speech * np.float32(0.5), mel=mel))
    assert quieter["level_offset_db"] == pytest.approx(-6.02, abs=0.01) and quieter["vocoder_change_db"] < 0.1
    recording = measures.values(SOUND, Sound(speech))
    assert recording["level_offset_db"] is None and recording["vocoder_change_db"] is None


def test_the_distance_of_a_pair_undoes_a_pause(speech: np.ndarray) -> None:
    mel = mel_spectrogram(speech)
    longer = np.concatenate([mel[:60], np.repeat(mel[60:61], 25, axis=0), mel[60:]])
    assert measures.values(PAIR, Pair(mel, longer))["mcd_decibels"] == pytest.approx(0, abs=1e-6)
    assert measures.values(PAIR, Pair(mel, mel[::-1]))["mcd_decibels"] > 1
    with pytest.raises(AudioError):
        measures.values(PAIR, Pair(mel, mel[:0]))


@pytest.mark.parametrize("n_samples", [0, 1, 700])
def test_next_to_nothing_has_no_number_that_json_lacks(n_samples: int) -> None:
    sound = Sound(np.zeros(n_samples, np.float32), mel=np.zeros((0, 100), np.float32))
    assert all(v is None or math.isfinite(v) for v in measures.values(SOUND, sound).values())
    assert measures.values(RUN, Times(0.0, 1.0))["rtf"] is None


def test_what_is_expensive_is_computed_once(speech: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.engine.measures import subjects

    calls: list[str] = []
    real_pitch, real_mel = subjects.pitch, subjects.spectra.decoded_mel
    monkeypatch.setattr(subjects, "pitch", lambda *a, **k: calls.append("pitch") or real_pitch(*a, **k))
    monkeypatch.setattr(subjects.spectra, "decoded_mel", lambda *a, **k: calls.append("mel") or real_mel(*a, **k))
    measures.values(SOUND, Sound(speech, mel=mel_spectrogram(speech)))
    assert sorted(calls) == ["mel", "pitch"]


def test_a_measure_whose_package_is_missing_has_no_number(run: Any) -> None:
    from workbench.engine.measures.registry import Measure

    one = Measure(
        "x", "", "About.", (SOUND,), "x", "", 2, ("no_such_package_at_all",), INSTANT, "", None, lambda sound: 1.0
    )  # fmt: skip
    assert one.value(Sound.of_run(run)) is None and "no_such_package_at_all" in one.lacking


def test_a_measure_is_named_once_and_declared_well() -> None:
    for wrong in ({"name": "rtf"}, {"of": ()}, {"of": ("word",)}, {"better": "bigger"}, {"cost": "the earth"}):
        given: dict[str, Any] = {"name": "new_one", "of": (RUN,), "misleads": "always."} | wrong
        with pytest.raises(ValueError, match=r"measure"):
            measure(given.pop("name"), "s", "About.", **given)(lambda times: 1.0)
    assert "new_one" not in {m.name for m in measures.every()}


def test_times_and_levels_are_measured_without_torch() -> None:
    code = (
        "import sys, numpy as np; from workbench.engine import measures as m\n"
        "m.values(m.SOUND, m.Sound(np.zeros(9000, np.float32)), light=True); m.values(m.RUN, m.Times(1.0, 1.0))\n"
        "from workbench.engine.runs import exports; exports.every()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""The search language of the list of runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from workbench.engine.errors import SettingsError
from workbench.engine.runs.finding import columns, query
from workbench.engine.runs.summary import RunSummary
from workbench.engine.settings import LoadSettings, SynthesisSettings


def summary(name: str, **changes: Any) -> RunSummary:
    settings = SynthesisSettings(nfe_step=7, seed=3, max_chunk_bytes=140).replace(**changes.pop("settings", {}))
    known: dict[str, Any] = {
        "id": name, "created_at": "2026-11-23T07:15:00.1+00:00", "model": "demo-voice", "voice": "Nora",
        "text": "Some call me nature,\nothers call me mother nature.", "seconds": 5.0, "total_seconds": 1.5, "rtf": 0.3,
        "first_audio_seconds": 0.5, "n_chunks": 2, "settings": settings.as_dict(),
        "load": {"backend": "lean", "weights": "ema"}, "measured": {"wer_percent": 7.0, "speaker_similarity": 0.8},
    }  # fmt: skip
    return RunSummary(**(known | changes))


RUNS = [
    summary("1"),
    summary("2", voice="Paul", star=True, measured={"wer_percent": 12.0}, note="a click at 0.3 s"),
    summary("3", measured={}, settings={"nfe_step": 70, "max_chunk_bytes": None}, created_at="2026-12-01T00:00:00"),
]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", "123"),
        ("   ", "123"),
        ("mother", "123"),
        ("MOTHER paul", "2"),
        ('"nature, others"', "123"),  # a line ends between these words
        ('"mother call"', ""),
        ("nfe_step=7", "12"),
        ("nfe_step = 7.0", "12"),
        ("NFE==7 voice=nora", "1"),
        ("nfe_step>7", "3"),
        ("nfe_step>=7 nfe_step<=7", "12"),
        ("nfe_step!=7", "3"),
        ("wer<0.1", "1"),
        ("wer<10%", "1"),
        ("wer_percent<10", "1"),
        ("wer_percent<10%", "1"),
        ("wer=0.07", "1"),
        ("wer>=0.07", "12"),
        ("wer<0.07", ""),
        ("wer=unset", "3"),
        ("wer!=unset", "12"),
        ("sim>0.5", "1"),
        ("rtf<0.5 first_audio_seconds<=0.5 mother", "123"),
        ("voice=Nora nfe_step=7 wer<0.1", "1"),
        ("voice!=Nora", "2"),
        ("voice=Nor", ""),
        ("max_chunk_bytes=unset", "3"),
        ("max_chunk_bytes!=140", "3"),
        ("max_chunk_bytes<500", "12"),
        ('note="a click"', "2"),
        ("note!=click", "13"),
        ("text=mother", "123"),
        ("star=yes", "2"),
        ("star=no", "13"),
        ("made>=2026-11-24", "3"),
        ("made<=2026-11-23", "12"),
        ("made=2026-11", "12"),
        ('made>"2026-11-23 07:15"', "3"),
        ("backend=lean weights=EMA", "123"),
        ("<script>", ""),
        ("3<5", ""),
        ("nobody", ""),
    ],
)
def test_what_a_query_finds(asked: str, found: str) -> None:
    assert "".join(run.id for run in query.find(RUNS, asked)) == found


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nfe_step=", "nfe_step= has no value"),
        ("nfe_step<some", "nfe_step is a number, not 'some'"),
        ("rtf=nan", "rtf is a number"),
        ("nfe_steps=7", "nfe_step"),
        ("knob=1", "Runs have no value 'knob'"),
        ("settings=1", "Runs have no value 'settings'"),
        ("star<yes", "star is yes or no"),
        ("star=maybe", "star=yes or star=no"),
        ('note="a click', "quote is not closed"),
        ('mother "', "quote is not closed"),
    ],
)
def test_a_bad_query_says_what_is_wrong_in_one_line(asked: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        query.find(RUNS, asked)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_bad_query_is_refused_also_without_runs() -> None:
    with pytest.raises(SettingsError):
        query.find([], "nfe_step=")


def test_every_setting_and_measure_is_a_column() -> None:
    names = {f.name for owner in (SynthesisSettings, LoadSettings) for f in dataclasses.fields(owner)}
    assert names | {"wer_percent", "speaker_similarity", "rtf", "voice"} <= set(columns.columns())


def test_numbers_to_draw_are_those_that_a_run_has() -> None:
    names = [one.name for one in columns.numeric(RUNS)]
    assert {"wer_percent", "rtf", "nfe_step", "seconds"} <= set(names)
    assert not {"voice", "star", "cer_percent", "fix_duration"} & set(names)
    assert names.index("rtf") < names.index("nfe_step")

"""A book in the pages: work is counted, not timed, so that no click reads, plans or draws the whole of it again."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.ui.helpers import html_of
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import Chunk, plan_chunks
from workbench.engine.speech.voices import load_voice
from workbench.ui import kept
from workbench.ui.parts import plan_view, tables

BOOK = "One boat is here, and two boats are there. " * 400


def counted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[Any]:
    """The first arguments of all calls of a function from here on; it works as before."""
    calls, real = [], getattr(place, name)

    def calling(*args: Any, **kwargs: Any) -> Any:
        calls.append(args[0] if args else None)
        return real(*args, **kwargs)

    monkeypatch.setattr(place, name, calling)
    return calls


def rows_of(n: int) -> tuple[Any, ...]:
    return tuple(SimpleNamespace(chunk=SimpleNamespace(index=k, text="words"), steps=[0.1] * 32) for k in range(n))


def test_what_a_long_run_holds_is_measured_in_as_many_steps_as_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = counted(monkeypatch, kept, "array_bytes")
    sizes = []
    for n in (100, 4_000):
        steps.clear()
        wave = np.zeros(1000, np.float32)
        documents = {"chunks": [{"text": "words", "step_seconds": [0.1] * 32} for _ in range(n)]}
        assert kept.array_bytes([SimpleNamespace(chunks=rows_of(n), reference=wave), documents], set()) == 4_000
        sizes.append(len(steps))
    assert sizes[0] == sizes[1]


def test_a_table_whose_items_hold_arrays_is_counted_whole_also_where_some_were_seen() -> None:
    waves = [np.zeros(10, np.uint8) for _ in range(40)]
    table = tuple(SimpleNamespace(wave=wave) for wave in waves)
    assert kept.array_bytes(table, set()) == 400
    seen: set[int] = set()
    assert kept.array_bytes(waves[:20], seen) == 200
    assert kept.array_bytes(table, seen) == 200
    assert kept.array_bytes(dict(enumerate(waves * 2)), set()) == 400


def test_the_table_of_a_book_is_forty_rows_around_the_chunk_that_is_made() -> None:
    plan = plan_chunks(BOOK, "A reference of words.", 24_000 * 3, SynthesisSettings(max_chunk_bytes=43))
    assert len(plan) == 400

    def shown(now: int | None, n_made: int = 0) -> tuple[list[str], str]:
        table = tables.chunk_table(plan, results[:n_made], now=now, step="3/7")
        return [part.split("</td>")[0] for part in table.split('style="--c:')[1:]], table

    results = [result_of(chunk) for chunk in plan]
    rows, table = shown(0)
    assert len(rows) == tables.MAX_ROWS and rows[0].endswith(">1") and "360 more" in table and "before" not in table
    rows, table = shown(250, 250)
    assert len(rows) == tables.MAX_ROWS and any(row.endswith(">251") for row in rows)
    assert "218 before" in table and "142 more" in table and "3/7" in table and "250 of 400 made" in table
    rows, table = shown(399, 399)
    assert rows[-1].endswith(">400") and "360 before" in table and "more" not in table
    assert len(tables.chunk_table(plan[:5]).split("<tr>")) - 1 <= 8  # a short plan is whole


def result_of(chunk: Chunk) -> Any:
    from workbench.engine.speech.chunks import ChunkResult
    from workbench.engine.timing import ChunkTiming

    timing = ChunkTiming(0.1, 0.2, 0.1, (), 0.4, 7)
    empty = np.zeros((0, 100), np.float32)
    return ChunkResult(chunk, chunk.seed, np.zeros(24_000, np.float32), empty, None, timing, 24_000)


def test_another_chunk_size_or_seed_does_not_prepare_the_text_again(
    tiny_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = counted(monkeypatch, tiny_server, "prepare")
    voice = load_voice("nature-en")
    n_chunks = [
        len(plan_view.plan(BOOK, voice, SynthesisSettings(max_chunk_bytes=size, seed=seed), "tiny").chunks)
        for size, seed in ((80, 0), (80, 1), (200, 0), (40, 5), (80, 0))
    ]
    assert len(prepared) == 1 and n_chunks[0] == n_chunks[1] == n_chunks[4] and len(set(n_chunks)) == 3


def test_marks_are_made_of_the_part_that_is_seen(tiny_server: Any) -> None:
    found = plan_view.plan("Seven boats: 12 of them. " * 300, load_voice("nature-en"), SynthesisSettings(), "tiny")
    assert found.prepared is not None
    every = plan_view.marks_of(found.prepared)
    assert len(every) == 300
    assert plan_view.marks_of(found.prepared, 250) == every[:10]


def test_a_list_of_the_catalogue_reads_the_demo_voice_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.engine import catalog
    from workbench.engine.catalog import entries

    entries._config.cache_clear()
    reads = counted(monkeypatch, entries, "read_config")
    for entry in catalog.list_entries():
        catalog.get_entry(entry.name)
    assert len(reads) == 1


def test_cancel_is_answered_by_the_click_itself(open_page: Any, tiny_engine: Any) -> None:
    from workbench.engine.jobs.speech import SpeechJob
    from workbench.ui import resources

    class Busy(SpeechJob):
        def work(self) -> Any:
            hold.wait(60)  # as a slow machine does within one ODE step
            self.check()

    hold, voice = threading.Event(), load_voice("nature-en")
    resources.remember_voice(voice)
    job = resources.job_manager().submit(Busy(tiny_engine.request("One boat is here.", voice, SynthesisSettings())))
    try:
        at = open_page(run=job.id)
        while job.state == "queued":
            at.run()
        at.button(key="cancel").click().run()
        assert job.is_stopping and "stopping at the next ODE step" in html_of(at)
        assert at.button(key="cancel").disabled
    finally:
        hold.set()
    assert job.wait(30) == "cancelled"


def test_the_chunks_of_a_long_run_are_served_with_one_reading_of_its_document(
    tiny_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.engine import rules
    from workbench.engine.runs import store
    from workbench.engine.runs.takes import state
    from workbench.engine.signal.audio import to_bytes
    from workbench.ui import routes

    monkeypatch.setattr(rules, "LONG_RUN_CHUNKS", 3)
    chosen = SynthesisSettings(nfe_step=2, max_chunk_bytes=45)
    run = tiny_engine.run(BOOK[:260], load_voice("nature-en"), chosen, save=False)
    assert len(run.chunks) > 4
    store.save_run(run)
    reads = counted(monkeypatch, state, "read_document_of")
    for index, chunk in enumerate(run.chunks):
        assert routes._run_chunk(run.id, index) == to_bytes(chunk.wave, chunk.sample_rate)
    assert routes._run_chunk(run.id, len(run.chunks)) is None and len(reads) == 1

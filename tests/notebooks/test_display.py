"""Displays of voices, chunks, runs and timelines in Jupyter, one-line errors, and Interrupt in a real kernel."""

from __future__ import annotations

import base64
import importlib
import io
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import KernelManager
from PIL import Image

from tests.notebooks.runner import NOTEBOOKS, environment
from workbench import notebook
from workbench.engine.errors import TextError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import Progress, Timeline

PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def run(tiny_engine: Any, voice: Voice) -> Any:
    settings = SynthesisSettings(nfe_step=2, max_chunk_bytes=25)
    return tiny_engine.run("One thing first. Another one after it.", voice, settings)


def sound_in(html: str) -> tuple[np.ndarray, int]:
    found = re.search(r"data:audio/wav;base64,([^\"]+)", html)
    assert found
    return soundfile.read(io.BytesIO(base64.b64decode(found[1])), dtype="float32")


def test_a_voice_shows_its_words_its_sound_and_its_mel(voice: Voice) -> None:
    html = notebook.voice_html(voice)
    wave, rate = sound_in(html)
    picture = re.search(r"data:image/png;base64,([^\"]+)", html)
    assert voice.ref_text in html and voice.name in html
    assert rate == 24_000 and np.abs(wave - voice.audio).max() < 1e-3, "at its true level"
    assert picture and Image.open(io.BytesIO(base64.b64decode(picture[1]))).width == voice.frames


def test_a_chunk_shows_words_sound_and_times(run: Any) -> None:
    html = notebook.chunk_html(run.chunks[1])
    assert len(sound_in(html)[0]) == len(run.chunks[1].wave)
    assert "chunk 2" in html and "Another one after it." in html and "2 evaluations" in html


def test_words_are_never_markup(tiny_engine: Any, voice: Voice) -> None:
    import dataclasses

    strange = dataclasses.replace(voice, ref_text="<script>alert(1)</script>.", warnings=("<b>",))
    html = notebook.voice_html(strange)
    assert "<script>" not in html and "<b>&lt;" not in html
    assert "<i>" not in notebook.table([{"a": "<i>"}]).markup


def test_a_run_shows_player_waveform_over_mel_chunks_and_gantt(run: Any) -> None:
    head, picture, rows, gantt = notebook.run_parts(run)
    assert len(sound_in(head["text/html"])[0]) == len(run.wave)
    assert {trace["type"] for trace in picture[PLOTLY]["data"]} == {"scatter", "heatmap"}
    assert rows["text/html"].count("<tr>") == 1 + len(run.chunks)
    assert {"bar"} <= {trace["type"] for trace in gantt[PLOTLY]["data"]}


def test_a_timeline_is_a_gantt() -> None:
    timeline = Timeline()
    with timeline.span("vocoder"):
        pass
    figure = notebook.timeline_bundle(timeline)[PLOTLY]
    assert [trace["name"] for trace in figure["data"]] == ["vocoder"]
    assert figure["config"]["showSendToCloud"] is False and "plotlyServerURL" not in figure["config"]


def test_the_extension_registers_displays_of_values_that_exist(voice: Voice, run: Any) -> None:
    shell = InteractiveShell()
    default = notebook.pio.renderers.default
    try:
        notebook.load_ipython_extension(shell)
        for _, module, name, _ in notebook.DISPLAYS:
            assert getattr(importlib.import_module(module), name).__module__ == module
        data, _ = shell.display_formatter.format(voice)
        assert data["text/html"] == notebook.voice_html(voice)
        data, _ = shell.display_formatter.format(run.chunks[0])
        assert data["text/html"] == notebook.chunk_html(run.chunks[0])
        assert PLOTLY in shell.display_formatter.format(Timeline())[0]
        notebook.unload_ipython_extension(shell)
        assert "text/html" not in shell.display_formatter.format(voice)[0]
    finally:
        notebook.pio.renderers.default = default


def test_an_error_is_one_line(tiny_engine: Any, voice: Voice) -> None:
    with pytest.raises(TextError) as caught:
        tiny_engine.run("", voice)
    lines = caught.value._render_traceback_()
    assert lines == ["TextError: The text is empty. Give at least one word."]


def test_check_tells_open_right_wrong_and_useless() -> None:
    def verdict(answer: object) -> str:
        return repr(notebook.check(answer, lambda x: x > 2, "more"))

    assert verdict(...).startswith("not answered yet") and verdict(3) == "right"
    assert verdict(1) == "not yet. more" and "cannot be used" in verdict("many")


def test_the_bar_follows_the_steps_of_all_chunks_and_closes() -> None:
    bar = notebook.StepBar()
    for chunk in (0, 1):
        for step in range(4):
            bar(Progress(chunk, 2, step, 3))
    assert bar._bar.n == bar._bar.total == 6
    assert bar._bar not in notebook.StepBar.open_bars


class Kernel:
    """A real kernel and a client of it."""

    def __init__(self, home: Path) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(NOTEBOOKS), env=environment(home))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    def ask(self, source: str, interrupt_at: str = "") -> tuple[dict[str, Any], str]:
        """(reply, all that was printed) of a cell; interrupted when ``interrupt_at`` has been printed."""
        asked, printed, sent = self.client.execute(source), "", False
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=240)
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            printed += content.get("text", "") + "\n".join(content.get("traceback", ()))
            if interrupt_at and interrupt_at in printed and not sent:
                self.manager.interrupt_kernel()
                sent = True
            if content.get("execution_state") == "idle":
                break
        return self.client.get_shell_msg(timeout=60)["content"], printed

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.mark.notebook
@pytest.mark.timeout(600)
def test_interrupt_in_the_middle_of_a_synthesis_leaves_the_engine_usable(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    try:
        reply, printed = kernel.ask(
            "%load_ext workbench.notebook\n"
            "import numpy as np, workbench\n"
            "from workbench.engine.speech.voices import load_voice\n"
            "engine, voice = workbench.load_engine(), load_voice()\n"
            "settings = workbench.SynthesisSettings(nfe_step=4)\n"
            "before = engine.run('Say it.', voice, settings).wave\n"
            "from workbench.notebook import StepBar\n"
            "bar = StepBar()\n"
            "def loud(progress): bar(progress); print('step', progress.step, flush=True)"
        )
        assert reply["status"] == "ok", printed
        reply, printed = kernel.ask(
            "engine.run('This is going to take a while.', voice, settings.replace(nfe_step=128), on_step=loud)",
            interrupt_at="step 2\n",
        )
        assert reply["status"] == "error" and reply["ename"] == "KeyboardInterrupt"
        assert "step 127" not in printed, "it was interrupted, not finished"
        assert "Interrupted." in printed and "Traceback" not in printed
        reply, printed = kernel.ask(
            "assert not engine._turn._lock.locked()\n"
            "assert not StepBar.open_bars and bar._bar.n < 128, 'the bar of the broken run is closed where it was'\n"
            "%reload_ext workbench.notebook\n"
            "assert np.array_equal(engine.run('Say it.', voice, settings).wave, before)\n"
            "print('as before')"
        )
        assert reply["status"] == "ok" and "as before" in printed, printed
        reply, printed = kernel.ask("engine.run('', voice)")
        assert reply["ename"] == "TextError"
        assert printed.strip() == "TextError: The text is empty. Give at least one word."
    finally:
        kernel.close()

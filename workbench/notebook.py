"""Displays for Jupyter: players, mels, tables, Gantt charts and progress bars.

``%load_ext workbench.notebook`` registers the displays of voices, chunks, runs and timelines. It also turns on offline
Plotly figures, a progress bar for every ``engine.run``, and a one-line message for Interrupt.
"""

from __future__ import annotations

import base64
import html
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from plotly.io.base_renderers import PlotlyRenderer

from workbench import figures
from workbench.engine import measures
from workbench.engine.signal import spectra
from workbench.engine.signal.audio import to_bytes
from workbench.engine.timing import Progress

_RENDERER = "workbench"
_rtf = measures.get("rtf").shown  # None where all was reused
_PAPER = "#ffffff"
_CELL = "padding:2px 12px 2px 0;text-align:left;vertical-align:top"


class Markup:
    """HTML that a notebook shows, with a plain-text form; ``+`` joins two."""

    def __init__(self, markup: str, plain: str = "") -> None:
        self.markup, self.plain = markup, plain

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.plain or "<Markup>"

    def __add__(self, other: Markup) -> Markup:
        return Markup(self.markup + other.markup, f"{self.plain}\n{other.plain}".strip())


def play(wave: np.ndarray, sample_rate: int = 24_000, title: str = "") -> Markup:
    """Return a player for ``wave``, float [n_samples], at its true level. It contains the sound and needs no server."""
    sound = base64.b64encode(to_bytes(np.asarray(wave, np.float32), sample_rate)).decode()
    label = f'<div style="font-size:90%">{html.escape(title)}</div>' if title else ""
    seconds = len(wave) / sample_rate
    return Markup(
        f'<div style="margin:4px 0">{label}<audio controls preload="auto" style="height:34px" '
        f'src="data:audio/wav;base64,{sound}"></audio></div>',
        f"{title or 'sound'} ({seconds:.2f} s)",
    )


def mel_picture(mel: np.ndarray, title: str = "", height: int = 110) -> Markup:
    """Return a picture of a natural-log mel [frames, n_mels]: time to the right, frequency upwards."""
    picture = base64.b64encode(figures.mel_png(spectra.mel_decibels(mel))).decode()
    label = f'<div style="font-size:90%">{html.escape(title)}</div>' if title else ""
    return Markup(
        f'<div style="margin:4px 0">{label}<img alt="mel spectrogram" style="width:100%;max-width:{6 * len(mel)}px;'
        f'height:{height}px;image-rendering:auto" src="data:image/png;base64,{picture}"></div>',
        f"{title or 'mel'} {mel.shape}",
    )


def table(rows: Iterable[Mapping[str, Any] | Any], columns: Sequence[str] | None = None) -> Markup:
    """Return a table of rows (mappings, or objects with the attributes ``columns``). Floats have three decimals."""
    rows = list(rows)
    if columns is None:
        columns = list(rows[0]) if rows else []
    cells = [[_shown(r[c] if isinstance(r, Mapping) else getattr(r, c)) for c in columns] for r in rows]
    head = "".join(f'<th style="{_CELL}">{html.escape(c.replace("_", " "))}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(c)}</td>' for c in row) + "</tr>" for row in cells
    )
    plain = "\n".join("  ".join(row) for row in [[str(c) for c in columns], *cells])
    return Markup(f'<table style="border-collapse:collapse"><tr>{head}</tr>{body}</table>', plain)


def _shown(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.3f}"
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def check(answer: Any, is_right: Callable[[Any], bool], hint: str) -> Markup:
    """Return the verdict on an exercise: "not answered yet" for ``...``, "right", or "not yet" with a hint.

    If ``is_right`` raises, such as for a word instead of a number, the verdict is "not yet" and names the error.
    """
    if answer is ...:
        return _verdict("not answered yet", "Put your answer in place of the three dots and run both cells.")
    try:
        return _verdict("right", "") if is_right(answer) else _verdict("not yet", hint)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        return _verdict("not yet", f"{hint} (Your answer {answer!r} cannot be used: {error}.)")


def _verdict(verdict: str, more: str) -> Markup:
    sign, colour = {"right": ("✓", "#1a7f37"), "not yet": ("✗", "#b4470e")}.get(verdict, ("…", "#5b6774"))
    text = f"{verdict}{'. ' + more if more else ''}"
    return Markup(f'<span style="color:{colour}">{sign} {html.escape(text)}</span>', text)


class StepBar:
    """A progress bar over the ODE steps of a run: ``engine.run(..., on_step=StepBar())``.

    Args:
        title: text before the bar.
    """

    open_bars: set[Any] = set()  # noqa: RUF012  bars of the running cell; an interrupted run does not close its bar

    def __init__(self, title: str = "speaking") -> None:
        self.title = title
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        total = progress.n_chunks * progress.n_steps
        done = progress.chunk_index * progress.n_steps + progress.step
        if self._bar is None:
            self._bar = _new_bar(self.title, total, "step")
        self._bar.n = done
        self._bar.set_postfix_str(f"chunk {progress.chunk_index + 1} of {progress.n_chunks}", refresh=True)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Close the bar; it stays visible as it is."""
        _close(self._bar)


def lab_bar(n_cells: int) -> Callable[[dict[str, Any]], None]:
    """Return an ``on_event`` callback for ``measuring.run`` that shows the lab's progress in a bar."""
    bar = _new_bar("loading lab", n_cells, "cell")

    def follow(event: dict[str, Any]) -> None:
        if event["event"] == "cell began":
            bar.set_postfix_str(f"{event['strategy']}, {event['network']}")
        elif event["event"] == "cell":
            bar.update()
        elif event["event"] in ("done", "error"):
            _close(bar)

    return follow


def _new_bar(title: str, total: int, unit: str) -> Any:
    from tqdm.auto import tqdm

    bar = tqdm(total=total, desc=title, unit=unit, leave=True)
    StepBar.open_bars.add(bar)
    return bar


def _close(bar: Any) -> None:
    if bar is not None:
        StepBar.open_bars.discard(bar)
        bar.close()


def figure_bundle(fig: go.Figure) -> dict[str, Any]:
    """Return the mime bundle of ``fig`` for JupyterLab's own Plotly renderer, without any link to a server."""
    return _OfflineRenderer(figures.CONFIG).to_mimebundle(fig.to_dict())


class _OfflineRenderer(PlotlyRenderer):  # type: ignore[misc]  # plotly has no types
    """Plotly's mime type on a white background, which the colours of the figures need in every theme of Jupyter."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, Any]:
        fig_dict["layout"] = {**fig_dict.get("layout", {}), "paper_bgcolor": _PAPER}
        bundle: dict[str, Any] = super().to_mimebundle(fig_dict)
        for content in bundle.values():
            content["config"].pop("plotlyServerURL", None)
        return bundle


def voice_html(voice: Any) -> str:
    """Return the HTML of a voice: words, player, mel."""
    head = f"<b>{html.escape(voice.name)}</b> · {voice.seconds:.2f} s · {voice.frames} mel frames"
    words = f"<div>“{html.escape(voice.ref_text)}”</div>"
    rate = voice.mel_config.target_sample_rate
    return head + words + _warnings(voice.warnings) + (play(voice.audio, rate) + mel_picture(voice.mel)).markup


def chunk_html(result: Any) -> str:
    """Return the HTML of a spoken chunk: words, player, mel, times."""
    t = result.timing
    head = f"<b>chunk {result.chunk.index + 1}</b> · {result.chunk.n_bytes} bytes · seed {result.seed} · "
    head += f"{result.audio_seconds:.2f} s in {t.total_seconds:.2f} s (RTF {_rtf(result.rtf)})"
    words = f"<div>“{html.escape(result.chunk.text)}”</div>"
    times = f"text {t.text_seconds:.3f} s · ODE {t.ode_seconds:.3f} s in {t.n_evaluations} evaluations · "
    times += f"vocoder {t.vocoder_seconds:.3f} s"
    sound = play(result.wave, result.sample_rate) + mel_picture(result.mel)
    return head + words + _warnings(result.chunk.warnings) + sound.markup + f"<div>{times}</div>"


def _warnings(warnings: Iterable[str]) -> str:
    return "".join(f'<div style="color:#b4470e">⚠ {html.escape(w)}</div>' for w in warnings)


def run_parts(run: Any) -> list[dict[str, Any]]:
    """Return the parts of a run as mime bundles: player, waveform over mel, table of chunks, Gantt chart."""
    config = run.mel_config
    borders = spectra.chunk_borders(run.starts, [len(c.wave) for c in run.chunks], run.sample_rate)
    head = f"<b>{html.escape(run.voice)}</b> · {html.escape(run.model)} · {len(run.chunks)} chunk(s) · "
    head += f"{run.audio_seconds:.2f} s of speech in {run.total_seconds:.2f} s · RTF {_rtf(run.rtf)} · "
    head += f"first audio after {run.time_to_first_audio_seconds:.2f} s · {html.escape(run.device)}"
    words = f"<div>“{html.escape(run.text)}”</div>"
    columns = ("index", "n_bytes", "seed", "audio_seconds", "ode_seconds", "vocoder_seconds", "rtf", "text")
    rows = table([c.as_dict() for c in run.chunks], columns)
    picture = figures.waveform_mel(run.wave, spectra.mel_decibels(run.mel), config, borders=borders)
    return [
        _as_bundle(Markup(head + words + play(run.wave, run.sample_rate).markup, f"run {run.id}")),
        figure_bundle(picture),
        _as_bundle(rows),
        figure_bundle(figures.gantt_with_utilisation(run.spans, run.utilisation)),
    ]


def _as_bundle(markup: Markup) -> dict[str, Any]:
    return {"text/html": markup.markup, "text/plain": repr(markup)}


def display_run(run: Any) -> None:
    """Show all parts of ``run`` below the cell."""
    from IPython.display import display

    for bundle in run_parts(run):
        display(bundle, raw=True)  # type: ignore[no-untyped-call]


def timeline_bundle(timeline: Any) -> dict[str, Any]:
    """Return the spans of a timeline as a Gantt chart; as a bar chart if all belong to loading."""
    loading = [s for s in timeline.spans if s.name in figures.timings.LOAD_STAGES]
    only_loading = len(loading) == len(timeline.spans)
    return figure_bundle(figures.load_bars(loading) if only_loading else figures.gantt_with_utilisation(timeline.spans))


# IPython's formatters take module and class by name, so nothing is imported before such a value is shown
DISPLAYS: tuple[tuple[str, str, str, Callable[[Any], Any]], ...] = (
    ("text/html", "workbench.engine.speech.voices", "Voice", voice_html),
    ("text/html", "workbench.engine.speech.chunks", "ChunkResult", chunk_html),
    ("display", "workbench.engine.speech.results", "Run", display_run),
    ("bundle", "workbench.engine.timing", "Timeline", timeline_bundle),
)


def _formatters(shell: Any) -> dict[str, Any]:
    shown = shell.display_formatter
    return {
        "text/html": shown.formatters["text/html"],
        "display": shown.ipython_display_formatter,
        "bundle": shown.mimebundle_formatter,
    }


def load_ipython_extension(shell: Any) -> None:
    """Register displays, offline figures, a progress bar for every run, and a one-line message for Interrupt."""
    from workbench.engine.speech.synthesis import Engine

    pio.renderers[_RENDERER] = _OfflineRenderer(figures.CONFIG)
    pio.renderers.default = _RENDERER
    Engine.default_on_step = staticmethod(_bar_of_main_thread)
    shell.set_custom_exc((KeyboardInterrupt,), _interrupted)
    shell.events.register("post_run_cell", _close_all)
    for kind, module, name, draw in DISPLAYS:
        _formatters(shell)[kind].for_type_by_name(module, name, draw)


def unload_ipython_extension(shell: Any) -> None:
    """Undo ``load_ipython_extension``; offline figures stay."""
    from workbench.engine.speech.synthesis import Engine

    Engine.default_on_step = staticmethod(lambda: None)
    shell.set_custom_exc((), None)
    shell.events.unregister("post_run_cell", _close_all)
    for kind, module, name, _ in DISPLAYS:
        _formatters(shell)[kind].pop(f"{module}.{name}", None)


def _bar_of_main_thread() -> StepBar | None:
    return StepBar() if threading.current_thread() is threading.main_thread() else None


def _interrupted(shell: Any, kind: type, error: BaseException, traceback: Any, tb_offset: int | None = None) -> None:
    sys.stderr.write("Interrupted. The next call starts from the beginning.\n")


def _close_all(result: Any = None) -> None:
    for bar in list(StepBar.open_bars):
        _close(bar)

"""Figures: their content and size, and that they do not import Streamlit."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import plotly.io
import pytest
from PIL import Image

from workbench import figures
from workbench.engine.settings import MelConfig
from workbench.engine.signal import spectra
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.phonetics.fourier import mean_spectrum, spectrogram, spectrum_at
from workbench.engine.signal.pitch import pitch
from workbench.engine.signal.trajectory import plane
from workbench.engine.timing import Sample, Span
from workbench.figures.theme import CHUNK_COLOURS, STAGE_COLOURS

CONFIG = MelConfig()
RATE = CONFIG.target_sample_rate


@pytest.fixture(scope="module")
def minute() -> tuple[np.ndarray, np.ndarray]:
    """60 s of something and its mel in dB."""
    t = np.arange(60 * RATE) / RATE
    wave = (0.2 * np.sin(2 * np.pi * (200 + 100 * np.sin(t)) * t)).astype(np.float32)
    return wave, spectra.mel_decibels(mel_spectrogram(wave))


def heatmaps(fig: Any) -> list[Any]:
    return [trace for trace in fig.data if trace.type == "heatmap"]


def test_figures_do_not_import_streamlit() -> None:
    code = "import sys, workbench.figures; sys.exit('streamlit' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_minute_is_sent_as_one_byte_a_cell(minute: tuple[np.ndarray, np.ndarray]) -> None:
    wave, decibels = minute
    fig = figures.waveform_mel(wave, decibels, CONFIG)
    (heat,) = heatmaps(fig)
    assert heat.z.dtype == np.int8 and heat.z.shape[1] <= 1400
    assert len(plotly.io.to_json(fig, validate=False)) < 400_000
    assert heat.zmax - heat.zmin == 80 and heat.zmax == np.ceil(decibels.max())
    assert abs(int(heat.z.max()) - float(decibels.max())) <= 0.5  # true dB, to half of one


def test_time_axis_of_the_picture_is_that_of_the_audio(minute: tuple[np.ndarray, np.ndarray]) -> None:
    wave, decibels = minute
    clicked = np.full_like(decibels, -100.0)
    clicked[3000] = 0.0  # at 32.000 s
    (heat,) = heatmaps(figures.waveform_mel(wave, clicked, CONFIG))
    at = heat.x0 + heat.dx * int(heat.z.max(axis=0).argmax())
    assert at == pytest.approx(3000 / CONFIG.frames_per_second, abs=heat.dx)
    (near,) = heatmaps(figures.waveform_mel(wave, clicked, CONFIG, span=(31.0, 33.0)))
    assert near.dx == pytest.approx(1 / CONFIG.frames_per_second) and near.z.shape[1] < 300  # all frames, none pooled
    assert near.x0 + near.dx * int(near.z.max(axis=0).argmax()) == pytest.approx(32.0)


def test_all_spectra_share_one_scale_and_one_time_axis(minute: tuple[np.ndarray, np.ndarray]) -> None:
    wave, decibels = minute
    hz, rate = spectra.mel_hz(), CONFIG.frames_per_second
    panels = [
        figures.WavePanel("w", wave, RATE),
        figures.SpectrumPanel("a", decibels, hz, rate),
        figures.SpectrumPanel("b", decibels - 30, hz, rate),
        figures.DifferencePanel("d", np.full_like(decibels, -3.0), hz, rate),
    ]
    fig = figures.stack(panels, dynamic_range=60)
    a, b, change = heatmaps(fig)
    assert (a.zmin, a.zmax) == (b.zmin, b.zmax) and a.zmax - a.zmin == 60
    assert (change.zmin, change.zmax) == (-20, 20) and set(np.unique(change.z)) == {-3}
    assert [a.showscale, b.showscale, change.showscale] == [True, False, True]
    assert {axis.matches for axis in fig.select_xaxes() if axis.matches} == {"x4"}


def test_level_and_pitch_of_two_share_their_axes(minute: tuple[np.ndarray, np.ndarray]) -> None:
    wave, _ = minute
    quiet = wave[:RATE] * np.float32(0.1)
    panels = [figures.WavePanel("A", wave, RATE), figures.WavePanel("B", quiet, RATE)]
    panels += [
        figures.PitchPanel("A", pitch(wave, RATE)),
        figures.PitchPanel("B", pitch(quiet, RATE)),
    ]
    layout = figures.stack(panels).layout
    assert layout.yaxis.range == layout.yaxis2.range and layout.yaxis.range[1] == pytest.approx(0.21, abs=1e-3)
    assert layout.yaxis3.range == layout.yaxis4.range


@pytest.mark.parametrize("scale", spectra.SCALES)
@pytest.mark.parametrize("colours", figures.COLOUR_MAPS)
@pytest.mark.parametrize("dark", [False, True])
def test_every_choice_of_the_page_draws(scale: str, colours: str, dark: bool) -> None:
    panel = figures.SpectrumPanel(
        "x", np.random.default_rng(0).normal(-40, 20, (50, 513)), np.linspace(0, 12_000, 513), 94
    )
    fig = figures.stack([panel], scale=scale, colour_map=colours, dark=dark)
    plotly.io.to_json(fig, validate=True)
    assert fig.layout.yaxis.ticktext[-1] in ("8k", "12k")


def test_chunk_borders_and_fades_are_marked_on_each_panel(minute: tuple[np.ndarray, np.ndarray]) -> None:
    wave, decibels = minute
    fig = figures.waveform_mel(wave, decibels, CONFIG, borders=[(10.0, 10.15), (20.0, 20.0)])
    lines = [s for s in fig.layout.shapes if s.type == "line"]
    fades = [s for s in fig.layout.shapes if s.type == "rect"]
    assert [s.x0 for s in lines] == [10.0, 20.0] * 2 and [(s.x0, s.x1) for s in fades] == [(10.0, 10.15)] * 2
    assert {s.yref for s in lines} == {"y domain", "y2 domain"}
    assert [a.text for a in fig.layout.annotations][-2:] == ["#2", "#3"]
    hidden = figures.waveform_mel(wave, decibels, CONFIG, borders=[(10.0, 10.15)], span=(30.0, 40.0))
    assert not hidden.layout.shapes


def test_png_has_the_palette_and_low_frequencies_below() -> None:
    decibels = np.full((40, 100), -100.0)
    decibels[:, :50] = 0.0
    picture = Image.open(io.BytesIO(figures.mel_png(decibels, row_pixels=2)))
    assert picture.size == (40, 200)
    rgb = np.asarray(picture.convert("RGB")).astype(int).sum(axis=2)
    assert rgb[-1].min() > rgb[0].max()
    flat = np.asarray(Image.open(io.BytesIO(figures.difference_png(np.zeros((5, 10))))).convert("RGB"))
    assert (np.ptp(flat.reshape(-1, 3), axis=0) == 0).all() and flat.min() > 240  # nothing changed looks like paper


def test_an_empty_or_silent_wave_draws() -> None:
    silent = np.zeros(2400, np.float32)
    plotly.io.to_json(figures.waveform_mel(silent, spectra.decoded_mel(silent)), validate=True)
    nothing = pitch(np.zeros(0, np.float32), RATE)
    plotly.io.to_json(figures.stack([figures.PitchPanel("F0", nothing)]), validate=True)


SPANS = (
    Span("read_weights", -2.0, 1.5),
    Span("warmup", -0.5, 0.5),
    Span("reference_mel", 0.0, 0.1),
    Span("text", 0.1, 0.05, 0),
    Span("ode", 0.15, 1.0, 0),
    Span("ode.step", 0.15, 0.5, 0),
    Span("ode.step", 0.65, 0.5, 0),
    Span("vocoder", 1.15, 0.2, 0),
    Span("ode", 1.35, 1.0, 1),
    Span("cross_fade", 2.4, 0.01),
)


def test_gantt_holds_every_stage_of_the_run_in_its_colour_and_no_loading() -> None:
    fig = figures.gantt_with_utilisation(SPANS)
    bars = {t.name: t for t in fig.data if t.type == "bar"}
    assert set(bars) == {"reference mel", "text", "ODE", "vocoder", "cross-fade"}
    assert list(bars["ODE"].y) == ["chunk 1", "chunk 2"] and list(bars["ODE"].base) == [0.15, 1.35]
    assert list(bars["ODE"].x) == [1.0, 1.0] and bars["ODE"].marker.color == STAGE_COLOURS["ode"]
    steps = next(t for t in fig.data if t.name == "ODE step")
    assert list(steps.x) == pytest.approx([0.65, 1.15])


def test_the_time_line_begins_with_the_run_unless_only_later_chunks_are_shown() -> None:
    early = [Span("text", 0.01, 0.05, 0), Span("ode", 0.06, 1.0, 0)]
    late = [Span("text", 10.0, 0.05, 7), Span("ode", 10.05, 1.0, 7)]
    assert figures.gantt_with_utilisation(early).layout.xaxis.range[0] == 0
    assert figures.gantt_with_utilisation(late).layout.xaxis.range[0] == 10


def test_utilisation_shares_the_time_axis_and_tells_what_was_not_there() -> None:
    samples = [Sample(0.1 * k, 50.0, 40.0, 10**9) for k in range(30)]
    fig = figures.gantt_with_utilisation(SPANS, samples, dark=True)
    names = {t.name for t in fig.data}
    assert {"CPU, machine", "CPU, this process", "memory"} <= names and "GPU" not in names
    assert fig.layout.xaxis.range == fig.layout.xaxis3.range and fig.layout.xaxis.matches == "x3"
    with_gpu = figures.gantt_with_utilisation(SPANS, [Sample(0.0, 1.0, 1.0, 1, 90.0, 2 * 10**9)])
    assert {"GPU", "GPU memory"} <= {t.name for t in with_gpu.data}


def test_loading_stands_apart() -> None:
    fig = figures.load_bars(SPANS)
    assert [t.name for t in fig.data] == ["read weights 1.50 s", "warm up 0.50 s"]
    assert not figures.load_bars([]).data and figures.gantt_with_utilisation([]).layout.height > 0


def test_runs_side_by_side() -> None:
    fig = figures.stages_by_run({"A": {"text": 0.1, "ode": 2.0}, "B": {"ode": 1.0, "vocoder": 0.3}})
    by_name = {t.name: list(t.x) for t in fig.data}
    assert by_name == {"text": [0.1, 0.0], "ODE": [2.0, 1.0], "vocoder": [0.0, 0.3]}


def test_animation_has_a_frame_for_every_state_and_stays_small() -> None:
    states = np.random.default_rng(0).normal(0, 1, (33, 500, 100)).astype(np.float16)
    fig = figures.animation(states, np.linspace(0, 1, 33), range(33))
    assert len(fig.frames) == 33 and fig.frames[0].name == "0 (t = 0.000)"
    assert fig.layout.images[0].source == fig.frames[0].layout.images[0].source and not fig.layout.sliders[0].active
    assert fig.data[0].marker.colorbar.title.text == "dB" and fig.layout.yaxis.ticktext[0] == "100"
    assert [step.label for step in fig.layout.sliders[0].steps][-1] == "32"
    assert [b.label for b in fig.layout.updatemenus[0].buttons] == ["▶ Play", "Pause"]
    assert fig.frames[0].layout.images[0].source.startswith("data:image/png;base64,")
    assert len(plotly.io.to_json(fig, validate=False)) < 5_000_000


def test_distance_speed_and_grids() -> None:
    times, moved = np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.2, 0.4, 0.5])
    fig = figures.distances(times, moved, (0.1, 0.1, 0.1))
    bar, speed = fig.data
    assert fig.layout.xaxis.range[0] < 0 < 3 < fig.layout.xaxis.range[1]  # the page marks step 0, the noise, too
    assert list(bar.y) == pytest.approx([0.2, 0.4, 0.5]) and list(speed.y) == pytest.approx([2.0, 1.0, 1.0])
    assert list(bar.customdata[:, 0]) == pytest.approx([0.1, 0.5, 1.0])
    fig = figures.time_grids({"uniform": np.linspace(0, 1, 5), "sway": times}, "sway")
    assert [len(t.x) for t in fig.data] == [5, 4]
    assert fig.data[1].marker.color == STAGE_COLOURS["ode"] != fig.data[0].marker.color


def test_of_thousands_of_points_those_at_one_place_are_drawn_once() -> None:
    points = [figures.Point(str(k), float(k % 40), 1.0, "ab"[k % 2]) for k in range(5000)]
    drawn = [trace.customdata for trace in figures.scatter(points, "x", "y").data]
    assert sorted(len(ids) for ids in drawn) == [20, 20] and "0" in drawn[0]
    heaps = figures.heaps(points)
    assert [heap[0].id for heap in heaps] == [str(k) for k in range(40)] and sum(map(len, heaps)) == 5000
    assert all(len({(point.x, point.group) for point in heap}) == 1 for heap in heaps)
    few = figures.scatter(points[:900], "x", "y").data
    assert sum(len(trace.customdata) for trace in few) == 900


def test_groups_beyond_the_colours_are_one() -> None:
    points = [figures.Point(str(k), float(k), 1.0, f"voice {min(k, 8)}") for k in range(30)]
    fig = figures.scatter(points, "x", "y")
    assert len(fig.data) == len(CHUNK_COLOURS) and fig.data[0].name in ("voice 8", "4 others")
    assert sum(len(trace.customdata) for trace in fig.data) == 30
    assert len({trace.marker.color for trace in fig.data}) == len(CHUNK_COLOURS)


def test_intervals_have_their_ends_and_the_line_of_chance() -> None:
    fig = figures.intervals([("a", 0.7, (0.5, 0.9)), ("b", 0.4, None)], "share", (0.0, 1.0), 0.5)
    (trace,) = fig.data
    assert list(trace.x) == [0.7, 0.4] and fig.layout.shapes[0].x0 == 0.5
    assert list(trace.error_x.array) == pytest.approx([0.2, 0]) and list(trace.error_x.arrayminus) == pytest.approx(
        [0.2, 0]
    )


def test_a_second_pitch_is_drawn_over_the_first_in_another_colour(speech: np.ndarray) -> None:
    first, second = pitch(speech, RATE), pitch(speech[:30_000], RATE)
    fig = figures.stack([figures.PitchPanel("F0", first, over=second, names=("A", "B"))])
    assert [trace.name for trace in fig.data] == ["A", "B"]
    assert fig.data[0].marker.color != fig.data[1].marker.color and len(fig.data[1].x) < len(fig.data[0].x)


# The instrument -------------------------------------------------------------------------------------------------------


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("scale", spectra.SCALES)
@pytest.mark.parametrize("highest", [5000.0, None])
def test_a_pointer_reads_hz_and_a_tone_reads_its_own(scale: str, highest: float | None) -> None:
    found = spectrogram(tone(440), RATE)
    panel = figures.SpectrumPanel("STFT", found.decibels, found.hz, found.frames_per_second, unit="dBFS")
    fig = figures.stack([panel], scale=scale, highest_hz=highest)
    (heat,) = heatmaps(fig)
    assert "%{y}" in heat.hovertemplate and "dBFS" in heat.hovertemplate and "row" not in heat.hovertemplate
    assert len(set(heat.y)) == len(heat.y) == len(heat.z) and fig.layout.yaxis.type == "category"
    loudest = float(heat.y[int(heat.z[:, 40].argmax())].removesuffix(" Hz"))
    assert loudest == pytest.approx(440, rel=0.12)
    top = float(heat.y[-1].removesuffix(" Hz"))
    assert top == pytest.approx(highest or RATE / 2, rel=0.06)


def test_frequency_axes_move_together_and_units_have_their_own_colours(minute: tuple[np.ndarray, np.ndarray]) -> None:
    _, decibels = minute
    hz, rate = spectra.mel_hz(), CONFIG.frames_per_second
    panels = [
        figures.SpectrumPanel("a", decibels, hz, rate),
        figures.PitchPanel("F0", pitch(tone(200), RATE)),
        figures.SpectrumPanel("b", decibels - 90, hz, rate, unit="dBFS"),
        figures.DifferencePanel("d", np.zeros_like(decibels), hz, rate),
    ]
    fig = figures.stack(panels, dynamic_range=60)
    assert [fig.layout[f"yaxis{k}"].matches for k in ("", 2, 3, 4)] == [None, None, "y", "y"]
    a, b, _ = heatmaps(fig)
    assert a.zmax - b.zmax == pytest.approx(90, abs=1) and a.showscale and b.showscale


@pytest.mark.parametrize("seconds", [0.01, 0.25])
def test_samples_are_true_when_zoomed_in(seconds: float) -> None:
    wave = np.random.default_rng(3).normal(0, 0.1, 10 * RATE).astype(np.float32)
    fig = figures.stack([figures.WavePanel("w", wave, RATE)], span=(4.0, 4.0 + seconds))
    (line,) = fig.data
    first = round(line.x0 * RATE)
    assert line.dx == 1 / RATE and line.name == "samples"
    assert np.array_equal(line.y, wave[first : first + len(line.y)])
    assert first <= 4.0 * RATE and first + len(line.y) >= (4.0 + seconds) * RATE
    assert ("markers" in line.mode) == (seconds == 0.01)


def test_a_long_wave_is_an_area_and_not_a_line_that_looks_like_one(minute: tuple[np.ndarray, np.ndarray]) -> None:
    wave, _ = minute
    low, high = figures.stack([figures.WavePanel("w", wave, RATE)]).data
    assert high.fill == "tonexty" and low.name == high.name == "envelope" and (low.y <= high.y).all()
    assert len(low.y) <= 1400 and high.y.max() == pytest.approx(wave.max())


def test_formants_lie_at_their_row_and_say_their_hz(minute: tuple[np.ndarray, np.ndarray]) -> None:
    _, decibels = minute
    at, hz = np.array([0.5, 1.0, 1.5]), np.array([731.0, np.nan, 20_000.0])
    panel = figures.SpectrumPanel(
        "a", decibels, spectra.mel_hz(), CONFIG.frames_per_second, dots=[figures.Dots("F1", at, hz)]
    )
    fig = figures.stack([panel])
    heat, dots = fig.data
    assert list(dots.customdata) == [731] and list(dots.x) == [0.5]
    assert dots.y[0] in set(heat.y) and float(dots.y[0].removesuffix(" Hz")) == pytest.approx(731, rel=0.02)


def test_tiers_curves_and_a_marked_span_share_the_time_axis() -> None:
    words = figures.Tier("words", [(0.0, 0.4, "<b>one</b>"), (0.4, 1.0, "two")])
    tier = figures.TierPanel("Words", [words, figures.Tier("chunks", [(0.0, 1.0, "one two")])])
    level = figures.CurvePanel(
        "Intensity", [figures.Curve("A", np.array([0.0, 0.5]), np.array([-30.0, -20.0]))], "dBFS"
    )
    fig = figures.stack([tier, level], mark=(0.6, 0.2))
    first, second, line = fig.data
    assert list(first.text) == ["&lt;b&gt;one&lt;/b&gt;", "two"] and list(second.y) == [1]
    assert list(first.base) == [0.0, 0.4] and list(first.x) == pytest.approx([0.4, 0.6])
    assert line.mode == "lines" and fig.layout.yaxis2.title.text == "dBFS"
    assert fig.layout.selectdirection == "h"
    (span,) = [shape for shape in fig.layout.shapes if shape.name == "span"]
    assert (span.x0, span.x1, span.yref) == (0.2, 0.6, "paper")
    near = figures.stack([tier], span=(0.5, 0.6))
    assert list(near.data[0].text) == ["two"]
    plotly.io.to_json(fig, validate=True)


def test_a_tier_that_its_title_names_is_not_named_again() -> None:
    chunks = figures.Tier("chunks", [(0.0, 1.0, "one two")])
    alone = figures.stack([figures.TierPanel("Chunks", [chunks])])
    two = figures.stack([figures.TierPanel("Words", [figures.Tier("words", [(0.0, 1.0, "one")]), chunks])])
    assert list(alone.layout.yaxis.ticktext) == [""] and list(two.layout.yaxis.ticktext) == ["words", "chunks"]


def test_with_many_panels_the_time_is_written_above_too() -> None:
    panels = [figures.WavePanel(str(k), tone(100), RATE) for k in range(6)]
    assert figures.stack(panels).layout.xaxis.side == "top" and figures.stack(panels[:4]).layout.xaxis.side is None


@pytest.mark.parametrize("is_log", [False, True])
def test_a_slice_reads_hz_and_dbfs(is_log: bool) -> None:
    wave = tone(440)
    found = {"A": spectrum_at(wave, RATE, 0.5), "A, mean": mean_spectrum(wave, RATE)}
    fig = figures.slices(found, highest_hz=5000, is_log=is_log, formants={"F1": 500.0, "F2": float("nan")})
    line, mean = fig.data
    assert line.x[int(line.y.argmax())] == pytest.approx(440, abs=12) and line.y.max() == pytest.approx(-10.5, abs=0.3)
    assert mean.line.dash == "dot" != line.line.dash and line.x.max() <= 5000
    assert [a.text for a in fig.layout.annotations] == ["F1 500"]
    assert fig.layout.xaxis.type == ("log" if is_log else "linear")
    plotly.io.to_json(fig, validate=True)


def test_two_paths_lie_in_one_plane_and_their_axes_have_one_scale() -> None:
    draw = np.random.default_rng(0)
    states = [np.cumsum(draw.normal(size=(k, 20, 10)), axis=0) for k in (9, 5)]
    times = {"A": np.linspace(0, 1, 9), "B": np.linspace(0, 1, 5)}
    fig = figures.trajectory_plane(plane(states), times)
    a, b = fig.data
    assert (len(a.x), len(b.x)) == (9, 5) and a.text[0] == "t 0.00" and a.line.color != b.line.color
    assert fig.layout.yaxis.scaleanchor == "x" and "%" in fig.layout.xaxis.title.text


def test_the_area_of_a_step_is_the_distance_that_it_moves() -> None:
    times, moved = np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.2, 0.4, 0.5])
    (line,) = figures.speeds({"A": (times, moved)}).data
    assert line.line.shape == "hv" and line.y[:-1] * np.diff(line.x) == pytest.approx(moved)

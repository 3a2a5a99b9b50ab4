"""The panels of the figure, from what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workbench import figures
from workbench.engine.signal import spectra
from workbench.ui.look import analysing, display, words
from workbench.ui.look.display import Display
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source


def of(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    """Return the chosen panels from the top; A and B of one kind are neighbours, or drawn over each other."""
    makers: dict[str, Callable[[Mapping[str, Source], Display], list[figures.Panel]]] = {
        display.WAVE: _waves, display.WORDS: _tiers, display.PITCH: _pitch, display.LEVEL: _level,
        display.MODEL: _models, display.HEARD: _heard, display.CHANGE: _vocoder, display.FOURIER: _fourier,
        display.MINUS: _minus,
    }  # fmt: skip
    return [panel for kind, make in makers.items() if kind in chosen.shown for panel in make(found, chosen)]


def _prefixed(found: Mapping[str, Source]) -> list[tuple[str, Source]]:
    return [(f"{letter}: " if len(found) > 1 else "", source) for letter, source in found.items()]


def _waves(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    return [figures.WavePanel(f"{p}Waveform", s.wave, s.sample_rate, s.borders) for p, s in _prefixed(found)]


def _tiers(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    panels: list[figures.Panel] = []
    for prefix, source in _prefixed(found):
        tiers = words.tiers(source)
        if tiers:
            title = f"{prefix}{' and '.join(tier.name for tier in tiers).capitalize()}"
            panels.append(figures.TierPanel(title, tiers, source.borders, 0.1 + 0.16 * len(tiers)))
    return panels


def _both(found: Mapping[str, Source], what: str) -> str:
    return f"{what}: A orange, B blue" if len(found) > 1 else what


def _pitch(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    first, *rest = found.values()
    over = sources.pitch_of(rest[0]) if rest else None
    names = ("A", "B") if rest else ("", "")
    return [figures.PitchPanel(_both(found, "F0"), sources.pitch_of(first), first.borders, over=over, names=names)]


def _level(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    several = len(found) > 1
    curves = []
    for letter, source in found.items():
        level = analysing.intensity(source)
        curves.append(figures.Curve(letter if several else "", level.seconds, level.values))
    first = next(iter(found.values()))
    return [figures.CurvePanel(_both(found, "Intensity"), curves, "dBFS", first.borders)]


def _models(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    return [
        figures.SpectrumPanel(
            f"{p}{s.model_title}", s.model, spectra.mel_hz(s.config), s.config.frames_per_second, s.borders
        )
        for p, s in _prefixed(found) if s.model is not None
    ]  # fmt: skip


def _heard(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    dotted = display.FOURIER not in chosen.shown
    return [
        figures.SpectrumPanel(
            f"{p}Mel of the audio", sources.heard_mel(s), spectra.mel_hz(s.config), s.config.frames_per_second,
            s.borders, dots=_formants(s, chosen) if dotted else (),
        )
        for p, s in _prefixed(found)
    ]  # fmt: skip


def _vocoder(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    panels: list[figures.Panel] = []
    for prefix, source in _prefixed(found):
        if source.model is None:
            continue
        heard = sources.heard_mel(source)
        offset = spectra.level_offset(source.model, heard)
        floor = float(source.model.max()) - chosen.dynamic_range
        change = spectra.difference(source.model, heard - offset, floor)
        title = f"{prefix}Audio minus model, level corrected by {-offset:+.1f} dB"
        rate = source.config.frames_per_second
        panels.append(figures.DifferencePanel(title, change, spectra.mel_hz(source.config), rate, source.borders))
    return panels


def _fourier(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    panels: list[figures.Panel] = []
    window = chosen.window
    for prefix, source in _prefixed(found):
        taken = analysing.spectrogram(source, window)
        about = f"{window.milliseconds:.3g} ms {window.kind}, step {1000 / taken.frames_per_second:.2g} ms"
        thin = ", fewer than asked for: the sound is long" if taken.is_thinned else ""
        panels.append(
            figures.SpectrumPanel(
                f"{prefix}STFT, {about}{thin}", taken.decibels, taken.hz, taken.frames_per_second, source.borders,
                unit="dBFS", dots=_formants(source, chosen),
            )
        )  # fmt: skip
    return panels


def _formants(source: Source, chosen: Display) -> list[figures.Dots]:
    if display.FORMANTS not in chosen.shown:
        return []
    found = analysing.formants(source, chosen.ceiling_hz)
    if found is None:
        return []
    return [figures.Dots(f"F{k + 1}", found.seconds, found.hz[:, k]) for k in range(found.hz.shape[1])]


def _minus(found: Mapping[str, Source], chosen: Display) -> list[figures.Panel]:
    if len(found) < 2:
        return []
    a, b = found.values()
    changed = analysing.change(a, b)
    how = ", B aligned in time to A" if changed.warped else ""
    title, rate = f"B minus A, mel of the audio{how}", a.config.frames_per_second
    return [figures.DifferencePanel(title, changed.change, spectra.mel_hz(a.config), rate, a.borders)]

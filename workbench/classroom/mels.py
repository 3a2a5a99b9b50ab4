"""Stops that look at pictures of sound: noise, flow, vocoder."""

from __future__ import annotations

import numpy as np

from workbench.classroom.values import EngineOf, Measured, Question, first
from workbench.engine.settings import MelConfig
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.spectra import mel_decibels
from workbench.engine.speech.results import Run

HALF = 50.0  # %, of likeness, at which the flow is asked about


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Return how alike two arrays of one shape are: their correlation in %, 0 if unrelated, 100 if equal."""
    a, b = (np.asarray(x, np.float64).ravel() - np.mean(x, dtype=np.float64) for x in (a, b))
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return 100 * float((a * b).sum()) / size if size else 0.0


# Noise and flow ------------------------------------------------------------------------------------------------------


def _states(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """(times, states) of the chunk that is looked at."""
    kept = first(run).trajectory
    assert kept is not None, "a stop about the flow needs a run that kept its states"
    return kept.times, kept.states


def _picture(title: str, state: np.ndarray) -> tuple[str, np.ndarray]:
    return title, mel_decibels(np.asarray(state, np.float32))


def ask_noise(run: Run) -> Question:
    return Question(
        f"Before the first of {run.settings.nfe_step} steps, chunk {first(run).chunk.index + 1} is a picture that a "
        "random generator drew. How alike is it to the finished mel: 0 % for nothing in common, 100 % for equal?",
        "%", 0, 100, 1, 10.0,
    )  # fmt: skip


def measure_noise(run: Run, engine_of: EngineOf) -> Measured:
    _, states = _states(run)
    start, end = states[0].astype(np.float32), states[-1]
    value = likeness(start, end)
    return Measured(
        value,
        (
            f"{value:.0f} %: nothing of the words is in it, only numbers with mean {start.mean():.2f} and spread "
            f"{start.std():.2f}.",
            f"The seed {first(run).seed} alone decides them, so the same seed gives the same take to the last sample.",
            "Another seed is another noise, and from there another reading of the same words.",
        ),
        (
            ("numbers in the picture", f"{start.size:,} ({start.shape[0]} frames of {start.shape[1]} bands)"),
            ("seed", str(first(run).seed)),
            ("mean and spread", f"{start.mean():.3f} and {start.std():.3f}"),
        ),
        (_picture("before the first step", start), _picture("after the last step", end)),
    )


def ask_flow(run: Run) -> Question:
    n = run.settings.nfe_step
    return Question(
        f"{n} steps lead from noise to speech. After which step is the picture {HALF:.0f} % like the finished mel?",
        "steps", 0, n, 1, max(1.0, 0.1 * n),
    )  # fmt: skip


def measure_flow(run: Run, engine_of: EngineOf) -> Measured:
    times, states = _states(run)
    alike = [likeness(state, states[-1]) for state in states]
    at = next(k for k, value in enumerate(alike) if value >= HALF)
    steps = np.round(np.linspace(0, run.settings.nfe_step, len(states))).astype(int)
    rows = tuple((f"step {steps[k]}, t = {times[k]:.3f}", f"{alike[k]:.0f} %") for k in _spread(len(states), 12))
    return Measured(
        float(steps[at]),
        (
            f"After step {steps[at]} of {run.settings.nfe_step}, at t = {times[at]:.2f} on the way from 0 to 1: there "
            f"it is {alike[at]:.0f} % alike.",
            f"The steps are not equal: the first goes {np.diff(times)[0]:.3f} of the way and the last "
            f"{np.diff(times)[-1]:.2f}, since the direction changes early, where the words find their places.",
            "At each step the model answers one question, where to go from here, and the solver follows.",
        ),
        rows,
        (_picture(f"after step {steps[at]}", states[at]), _picture("after the last step", states[-1])),
    )


def _spread(n: int, most: int) -> list[int]:
    return sorted({round(k) for k in np.linspace(0, n - 1, min(n, most))})


# Vocoder -------------------------------------------------------------------------------------------------------------


def ask_vocoder(run: Run) -> Question:
    return Question(
        "Take a recording, make its mel, and let the vocoder turn that back into sound. How alike are the two waves, "
        "sample by sample: 0 % for nothing in common, 100 % for equal?",
        "%", 0, 100, 1, 12.0,
    )  # fmt: skip


def measure_vocoder(run: Run, engine_of: EngineOf) -> Measured:
    sound = run.reference if run.reference is not None else first(run).wave
    config: MelConfig = run.mel_config
    mel = mel_spectrogram(sound, config)
    copy = engine_of(run.model).decode(mel)
    n = min(len(copy), len(sound))
    value = max(0.0, likeness(sound[:n], copy[:n]))
    again = mel_spectrogram(copy[:n], config)
    off = float(np.abs(mel_decibels(again[: len(mel)]) - mel_decibels(mel[: len(again)])).mean())
    return Measured(
        value,
        (
            f"{value:.0f} % alike, although their mels differ by no more than {off:.1f} dB on average: hear both.",
            f"A mel holds how loud each of {mel.shape[1]} bands is in each frame, and not the phase: where in its "
            "swing each wave stands is the vocoder's own invention.",
            f"From each frame it makes {config.hop_length} samples, and for chunk {first(run).chunk.index + 1} of this "
            f"run it took {1000 * first(run).timing.vocoder_seconds:.0f} ms.",
        ),
        (
            ("recording", f"{n / run.sample_rate:.2f} s, {n:,} samples"),
            ("mel", f"{mel.shape[0]} frames of {mel.shape[1]} numbers: {mel.size:,}"),
            ("mean difference of the mels", f"{off:.2f} dB"),
        ),
        (_picture("mel of the recording", mel), _picture("mel of the vocoder's copy", again)),
        (("the recording", sound[:n]), ("the vocoder's copy", copy[:n])),
    )

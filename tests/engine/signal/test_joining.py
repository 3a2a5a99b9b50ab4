"""Chunks to one sound piece by piece: the same samples and the same bytes as all at once."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench.engine.errors import OutputError
from workbench.engine.signal import joining
from workbench.engine.signal.audio import to_bytes


def at_once(waves: list[np.ndarray], fade: int, silences: list[int]) -> tuple[np.ndarray, list[int]]:
    """The rule, with the whole sound in memory."""
    joined = np.zeros(sum(map(len, waves)) + sum(silences), np.float32)
    starts, end = [], 0
    for wave, silence in zip(waves, silences[:-1], strict=True):
        end += silence
        overlap = 0 if silence else min(fade, end, len(wave))
        start = end - overlap
        if overlap:
            ramp = np.linspace(0, 1, overlap)
            joined[start:end] = joined[start:end] * ramp[::-1] + wave[:overlap] * ramp
        joined[end : start + len(wave)] = wave[overlap:]
        starts.append(start)
        end = start + len(wave)
    return joined[: end + silences[-1]], starts


@pytest.mark.parametrize("seed", range(12))
def test_pieces_are_the_whole_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    waves = [rng.standard_normal(rng.integers(1, 300)).astype(np.float32) for _ in range(rng.integers(1, 9))]
    silences = [int(n) for n in rng.integers(0, 40, len(waves) + 1) * rng.integers(0, 2, len(waves) + 1)]
    fade = int(rng.choice([0, 1, 20, 100, 1000]))  # also longer than a wave
    whole, starts = at_once(waves, fade, silences)
    blocks = list(joining.join_blocks(iter(waves), fade, silences))
    assert np.array_equal(np.concatenate(blocks), whole) and all(map(len, blocks))
    assert joining.join_places([len(w) for w in waves], fade, silences) == (starts, len(whole))


def test_no_more_than_two_waves_are_held() -> None:
    asked = []

    def waves():
        for k in range(50):
            asked.append(k)
            yield np.ones(1000, np.float32)

    for count, block in enumerate(joining.join_blocks(waves(), 100, [0] * 51)):
        assert len(asked) <= count + 1 or count == 50
        assert len(block) <= 1000


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_file_written_in_pieces_has_the_bytes_of_one_written_at_once(tmp_path: Path, suffix: str) -> None:
    wave = np.random.default_rng(0).uniform(-1.2, 1.2, 70_001).astype(np.float32)
    pieces = np.split(wave, [1, 5_000, 5_001, 40_000])
    joining.write_sound(tmp_path / f"a{suffix}", pieces, len(wave), 24_000)
    assert (tmp_path / f"a{suffix}").read_bytes() == to_bytes(wave, 24_000, suffix)


def test_a_wav_beyond_four_gigabytes_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "WAV_MAX_BYTES", 2_000)
    wave = np.linspace(-1, 1, 1_001).astype(np.float32)
    joining.write_sound(tmp_path / "long.wav", [wave], len(wave), 24_000)
    joining.write_sound(tmp_path / "short.wav", [wave[:1_000]], 1_000, 24_000)
    assert (tmp_path / "long.wav").read_bytes()[:4] == b"RF64" and (tmp_path / "short.wav").read_bytes()[:4] == b"RIFF"
    back, rate = soundfile.read(tmp_path / "long.wav", dtype="float32")
    assert rate == 24_000 and np.abs(back - wave).max() < 1e-4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused_wherever_they_are(tmp_path: Path, bad: float) -> None:
    good = np.zeros(10, np.float32)
    with pytest.raises(OutputError, match="not numbers"):
        joining.write_sound(tmp_path / "a.wav", [good, good + np.float32(bad)], 20, 24_000)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_the_reason_of_the_system_is_passed_on(tmp_path: Path, suffix: str) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).uniform(-1, 1, 400_000).astype(np.float32)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**15, before[1]))
    try:
        with pytest.raises(OSError) as refused:
            joining.write_sound(tmp_path / f"a{suffix}", [noise], len(noise), 24_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.errno == errno.EFBIG

"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
assert answer_1 == rate / 2, "two samples for each swing"

# %% wrong-1
answer_1 = rate  # the sample rate

# %% wrong-1
answer_1 = 8000.0  # the highest label of the axis

# %% hidden-2
assert abs(answer_2 - float(np.nanmedian(pitch(sound, rate).hz))) < 10, "the median of the voiced frames"

# %% wrong-2
answer_2 = float(np.median(np.nan_to_num(pitch(sound, rate).hz))) * 0.5  # counts unvoiced frames as 0 Hz

# %% wrong-2
answer_2 = 2 * float(np.nanmedian(pitch(sound, rate).hz))  # reads the second harmonic, an octave too high

# %% hidden-3
ours, copied = (float(np.nanmedian(pitch(wave, rate).hz)) for wave in (sound, by_vocos))
assert abs(abs(answer_3) - 100 * abs(copied / ours - 1)) < 1, "percent of the recording's pitch"

# %% wrong-3
answer_3 = 100.0  # expects the phase to hold the pitch; the spacing of the harmonics in the mel does

# %% wrong-3
answer_3 = float(np.nanmedian(pitch(by_vocos, rate).hz))  # Hz, not percent

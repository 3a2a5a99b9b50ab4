"""Solutions of notebook 05, Spectrograms. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = 24_000 / 2

# %% exercise-2
answer_2 = float(np.nanmedian(pitch(sound, rate).hz))

# %% exercise-3
original = float(np.nanmedian(pitch(sound, rate).hz))
answer_3 = 100 * (float(np.nanmedian(pitch(by_vocos, rate).hz)) / original - 1)

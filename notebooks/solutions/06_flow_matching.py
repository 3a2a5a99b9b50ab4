"""Solutions of notebook 06, Flow matching. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = 16 * 2 * 2

# %% exercise-2
answer_2 = SynthesisSettings(nfe_step=16, use_epss=False, sway_sampling_coef=0.0)

# %% exercise-3
answer_3 = int(np.argmax(path.distances)) + 1

"""Solutions of notebook 02, Where the time goes. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = 8 * 4

# %% exercise-2
answer_2 = (45 - 15) / 30

# %% exercise-3
answer_3 = sorted(stage_seconds(run), key=stage_seconds(run).get)[-2]

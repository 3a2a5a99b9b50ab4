"""Solutions of notebook 03, The model in the loop. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = 3 * 2 * 10

# %% exercise-2
answer_2 = 3 * 10  # once, however many chunks

# %% exercise-3
answer_3 = next(iter(STRATEGIES["lazy-first-use"].guilty_lines))  # the first line inside `if vocos is None`

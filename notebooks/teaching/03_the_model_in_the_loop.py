"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
assert answer_1 == n_chunks * 2 * 10, "two questions for each chunk, ten seconds each"

# %% wrong-1
answer_1 = n_chunks * 10  # one file a load; the vocoder has two, and the client asks for each

# %% wrong-1
answer_1 = 2 * 10  # once; but the line stands inside the loop

# %% hidden-2
assert answer_2 == lab.predict("load-once-hub", 1, 10)[1], "it asks before the first chunk, however many follow"

# %% wrong-2
answer_2 = 100 * 3 * 10  # multiplies by the chunks, although the loop no longer loads

# %% wrong-2
answer_2 = 0  # wrong: the client asks the Hub even if all files are in the cache

# %% hidden-3
lines = STRATEGIES["lazy-first-use"].code.splitlines()
assert answer_3 in STRATEGIES["lazy-first-use"].guilty_lines, "the line that asks the Hub"

# %% wrong-3
answer_3 = min(STRATEGIES["lazy-first-use"].guilty_lines) - 1  # the question whether to load; the load is below

# %% wrong-3
answer_3 = 1  # the head of the function

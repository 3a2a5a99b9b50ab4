"""Solutions of notebook 04, Chunk size. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = int(140 / 10 * (22 - 10))

# %% exercise-2
answer_2 = next(
    size
    for size in range(20, 300, 10)
    if costs.reference_share(engine.plan(text, voice, settings.replace(max_chunk_bytes=size))) < 0.6
)

# %% exercise-3
answer_3 = 1 / 0.3

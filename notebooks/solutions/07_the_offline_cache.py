"""Solutions of notebook 07, The offline cache. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = files.weights.stat().st_size / 1e6

# %% exercise-2
answer_2 = "symbolic links"

# %% exercise-3
answer_3 = engine.loaded.files.weights
content = bytearray(answer_3.read_bytes())
content[-1] ^= 1
answer_3.write_bytes(content)

"""Solutions of notebook 01, First speech. Paste a part into the cell of the exercise and run its check."""

# %% exercise-1
answer_1 = SynthesisSettings(speed=0.7)  # 1 / 0.7 = 1.43 times as long

# %% exercise-2
answer_2 = 60 * 24_000 // 256 + 1  # 5626: one more than the whole hops, because the transform is centred

# %% exercise-3
answer_3 = "Ça va?"  # the vocabulary has no C with a cedilla; engine.plan(answer_3, voice) says so

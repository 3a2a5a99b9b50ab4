"""Solutions of notebook 01, First speech. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = SynthesisSettings(speed=0.7)  # 1 / 0.7 = 1.43 times as long

# %% exercise-2
answer_2 = 60 * 24_000 // 256 + 1  # 5626: centre-padded, so one more than the whole hops

# %% exercise-3
answer_3 = "Ça va?"  # the vocabulary has no C with a cedilla; engine.plan(answer_3, voice) says so

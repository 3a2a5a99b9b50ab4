"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
assert not cases[answer_1].is_right, "a case that goes wrong"
assert "Error" not in cases[answer_1].first + cases[answer_1].second, "without any error"

# %% wrong-1
answer_1 = "other-length"  # that one crashes, and a crash is noticed

# %% wrong-1
answer_1 = "lock"  # that one is right

# %% hidden-2
assert answer_2 == "a" == local.text, "what this thread wrote"

# %% wrong-2
answer_2 = "b"  # takes it for a shared variable

# %% wrong-2
answer_2 = None  # the other thread began without a value; this one has its own

# %% hidden-3
assert engine.plan(texts[0], voice, answer_3)[0].seed == 4 + 2, "the third chunk has index 2"
assert answer_3.replace(seed=0) == settings.replace(seed=0), "and nothing else is changed"

# %% wrong-3
answer_3 = settings.replace(seed=4 + 3)  # counts from 1

# %% wrong-3
answer_3 = SynthesisSettings(seed=6)  # another number of steps, so another sound from the same noise

"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
text_of_ten_seconds = " ".join(["Good evening, and thank you all for coming tonight."] * 4)
usual, asked = (
    sum(chunk.planned_seconds for chunk in engine.plan(text_of_ten_seconds, voice, chosen))
    for chosen in (SynthesisSettings(), answer_1)
)
assert asked >= 1.4 * usual, "it must hold for every text, not for one"

# %% wrong-1
answer_1 = SynthesisSettings(speed=1.4)  # takes the speed for a stretch: above 1 is faster

# %% wrong-1
answer_1 = SynthesisSettings(fix_duration=8.0)  # right for this text only: it fixes the seconds, not the pace

# %% wrong-1
answer_1 = SynthesisSettings(nfe_step=14)  # more steps take longer to compute, and sound as long as before

# %% hidden-2
assert abs(answer_2 - (60 * 24_000 // 256 + 1)) <= 1, "60 s of 24,000 samples, 256 of them a frame"

# %% wrong-2
answer_2 = 60 * 100  # takes the 100 bands of the mel for frames per second

# %% wrong-2
answer_2 = 93.75  # frames of one second

# %% hidden-3
assert answer_3.strip() and engine.loaded.unknown(answer_3), "every sign of it can be spoken"

# %% wrong-3
answer_3 = "Xylophones quiz vexed wizards!"  # rare words, but only letters that the model knows

# %% wrong-3
answer_3 = ""  # refused too, since there is nothing to say; no sign is missing

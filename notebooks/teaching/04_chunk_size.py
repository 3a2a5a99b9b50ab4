"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
assert answer_1 == int(140 / 10 * (CHUNK_WINDOW_SECONDS - 10)), "pace times what the reference leaves of 22 s"

# %% wrong-1
answer_1 = int(140 / 10 * 22)  # forgets that the reference is computed with every chunk

# %% wrong-1
answer_1 = 140 - 10  # takes bytes and seconds for one unit


# %% hidden-2
def share(size):
    return costs.reference_share(engine.plan(text, voice, settings.replace(max_chunk_bytes=size)))


assert answer_2 % 10 == 0 and share(answer_2) < 0.6, "less than 60 % of the frames"
assert all(share(size) >= 0.6 for size in range(20, answer_2, 10)), "and no smaller size does it"

# %% wrong-2
answer_2 = 20  # the smallest that can be set: nearly all frames are reference

# %% wrong-2
answer_2 = 290  # low enough, but not the smallest

# %% hidden-3
from workbench.engine.rules import SHORT_TEXT_SPEED

assert abs(answer_3 - 1 / SHORT_TEXT_SPEED) < 0.1, "the time is one over the speed"

# %% wrong-3
answer_3 = 0.3  # the speed, not the time

# %% wrong-3
answer_3 = 1 + 0.3  # adds; a speed divides

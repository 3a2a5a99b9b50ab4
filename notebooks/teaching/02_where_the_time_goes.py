"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
from workbench.engine.model.backends.solvers import STAGES

assert answer_1 == 8 * STAGES["rk4"], "evaluations of the model: steps times those of a step"

# %% wrong-1
answer_1 = 8  # counts the steps; a step of rk4 has four evaluations

# %% wrong-1
answer_1 = 2 * 8 * 4  # counts guidance too: its two passes are one call of the model

# %% hidden-2
assert abs(answer_2 - (45 - 15) / 30) < 1e-9, "the run alone, over the speech"

# %% wrong-2
answer_2 = 45 / 30  # load and run together

# %% wrong-2
answer_2 = 15 / 30  # the loading

# %% hidden-3
ranked = sorted(stage_seconds(run), key=stage_seconds(run).get, reverse=True)
assert answer_3 == ranked[1], "the second longest stage of this run"

# %% wrong-3
answer_3 = "ode"  # the longest

# %% wrong-3
answer_3 = min(stage_seconds(run), key=stage_seconds(run).get)  # the shortest

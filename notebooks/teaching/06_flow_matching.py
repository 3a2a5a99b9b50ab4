"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
assert answer_1 == 16 * 2 * 2, "steps, evaluations of midpoint, two passes for guidance"

# %% wrong-1
answer_1 = 16  # the steps

# %% wrong-1
answer_1 = 16 * 2  # forgets one of the two: midpoint or guidance

# %% hidden-2
grid = time_grid(answer_2)
assert answer_2.nfe_step == 16 and len(grid) == 17, "16 steps"
assert float(grid[1] - grid[0]) > 0.05 and abs(float(grid[-1]) - 1) < 1e-6, "a large first step, and still to the end"

# %% wrong-2
answer_2 = SynthesisSettings(nfe_step=16, use_epss=False)  # sway still makes the early steps small

# %% wrong-2
answer_2 = SynthesisSettings(nfe_step=8, use_epss=False, sway_sampling_coef=0.0)  # fewer steps are larger

# %% hidden-3
assert answer_3 == int(np.argmax(path.distances)) + 1, "the highest bar, counted from 1"

# %% wrong-3
answer_3 = int(np.argmax(path.distances))  # counted from 0

# %% wrong-3
answer_3 = int(np.argmin(path.distances)) + 1  # the step that changed least

"""Solutions of notebook 09, How the demo voice was made. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
count = lambda model: sum(p.numel() for p in model.transformer.parameters())
answer_1 = count(network.build_cfm()) / count(cfm)

# %% exercise-2
answer_2 = lambda x, n: 2 * (x - n)

# %% exercise-3
answer_3 = np.exp(last["phone"])

"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
sizes = [sum(p.numel() for p in model.transformer.parameters()) for model in (network.build_cfm(), cfm)]
assert abs(answer_1 / (sizes[0] / sizes[1]) - 1) < 0.2, "large over small"

# %% wrong-1
answer_1 = millions(cfm) / millions(network.build_cfm())  # small over large

# %% wrong-1
answer_1 = network.ARCH["depth"] / small["depth"]  # layers only; each is wider, too

# %% hidden-2
for _ in range(3):
    speech_, noise_ = torch.randn(7, 5), torch.randn(7, 5)
    assert torch.allclose(answer_2((speech_ + noise_) / 2, noise_), speech_ - noise_, atol=1e-4), (
        "s - n, for any s and n"
    )

# %% wrong-2
answer_2 = lambda x, n: x - n  # half of the way is left: only half of the velocity

# %% wrong-2
answer_2 = lambda x, n: 2 * x - n  # that is the speech

# %% hidden-3
assert abs(answer_3 - float(np.exp(last["phone"]))) < 0.5, "a loss of log(k) is a choice among k"

# %% wrong-3
answer_3 = last["phone"]  # the loss itself

# %% wrong-3
answer_3 = 10 ** last["phone"]  # another logarithm

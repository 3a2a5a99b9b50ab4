"""Hidden checks of the exercises of this lesson, and usual wrong answers with what is behind them."""

# %% hidden-1
assert abs(answer_1 - (copy / files.weights.name).stat().st_size / 1e6) < 0.1, "megabytes are millions of bytes"

# %% wrong-1
answer_1 = files.weights.stat().st_size / 2**20  # mebibytes

# %% wrong-1
answer_1 = sum(p.stat().st_size for p in copy.rglob("*") if p.is_file()) / 1e6  # the whole voice, vocoder included

# %% hidden-2
assert "link" in answer_2.lower(), "a snapshot points to the blobs"

# %% wrong-2
answer_2 = "folders"  # exFAT has those

# %% wrong-2
answer_2 = "blobs"  # plain files, and they arrive

# %% hidden-3
found = next(stock for stock in cache.inventory() if stock.model == "carried-voice")
assert found.state == "complete", "sizes and headers must still be right"
assert not cache.verify("carried-voice").ok, "and a content must be wrong"
assert Path(answer_3).is_file()

# %% wrong-3
answer_3 = engine.loaded.files.weights  # the right file, and nothing was changed in it

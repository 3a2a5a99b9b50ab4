"""Solutions of notebook 08, Threads and one cached tensor. Paste a part over the exercise's cell and run its check."""

# %% exercise-1
answer_1 = "same-length"

# %% exercise-2
local = threading.local()
local.text = "a"
other = threading.Thread(target=lambda: setattr(local, "text", "b"))
other.start()
other.join()
answer_2 = local.text

# %% exercise-3
answer_3 = settings.replace(seed=6)

"""The page Flow: the states of one or two flows, heard and seen with one slider, their paths and time grids."""

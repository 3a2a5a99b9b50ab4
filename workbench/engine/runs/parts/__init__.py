"""Long runs: each chunk in a file of its own, while the run is made and afterwards."""

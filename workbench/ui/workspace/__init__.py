"""The workspace around the current run: the form, the plan, the expected time, and what changed since the run."""

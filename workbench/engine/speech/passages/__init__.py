"""Passages of a script: who speaks which part of a text, with which settings and when. Data and planning; no torch."""

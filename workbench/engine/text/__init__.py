"""Prepare a written text for speech: cuts, normalisation, numbers, tags. Uses no audio and no model."""

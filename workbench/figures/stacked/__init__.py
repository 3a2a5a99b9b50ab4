"""Figures that stack panels on one time axis: waveform, pitch, intensity, spectrograms, words."""

"""The synthesiser that is learnt from: its files, its phonemes, its voices, and what it says."""

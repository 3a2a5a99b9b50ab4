"""How well the voice speaks what it never heard, by the ears of others."""

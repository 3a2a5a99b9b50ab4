"""What is written, on its way to what is said: borders, hygiene, numbers, tags. No audio, no model."""

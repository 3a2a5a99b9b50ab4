"""From text and a reference to mels: upstream's DiT, small, and how it is trained."""

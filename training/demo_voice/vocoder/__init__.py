"""From mels to waves: Vocos, small, and how it is trained."""

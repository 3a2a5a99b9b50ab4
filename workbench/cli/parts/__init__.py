"""What the commands share: flags from settings, reading texts, speaking, and printing."""

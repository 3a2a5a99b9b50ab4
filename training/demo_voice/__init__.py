"""The recipe that trained the bundled voice, from texts to evaluation; README.md tells the story."""

"""The teacher's speech with a label for every frame, and training rows put together from it."""

"""What the teacher is to say, and what is kept out of it."""

"""The page Listen: make a blind listening test, take part in it, see its results."""

"""The page Listen and look: what is looked at, how it is analysed and drawn, spans, slices, words and files."""

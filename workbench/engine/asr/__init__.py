"""Recognisers: they write down what a recording says, for references without words and for measures."""

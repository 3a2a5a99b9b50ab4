"""Listening tests: design, levels, answers, statistics."""

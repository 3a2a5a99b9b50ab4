"""Comparison of saved runs on the page Runs."""

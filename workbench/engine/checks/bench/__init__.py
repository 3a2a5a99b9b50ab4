"""Benchmarks, each a function that returns one JSON document: commands that anybody can run again, not tests.

What is compared runs in turn within one process, so that whatever else the machine does slows all sides alike. Every
figure is a median with its quartiles.
"""

"""Benchmarks. Each is a function that returns one JSON document; they are commands, not tests.

Compared sides run in turn within one process, so that other load slows all sides equally. Every number is a median with
quartiles.
"""

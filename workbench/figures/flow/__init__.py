"""Figures of a chunk's ODE: its states, its path in a plane, the length of each step, and the time grids."""

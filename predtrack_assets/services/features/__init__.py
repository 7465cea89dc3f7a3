"""Vectors of a window of days, from what was known.

Belongs here: reading bars, computing, storing vectors.
Does not: formulas of features.
"""

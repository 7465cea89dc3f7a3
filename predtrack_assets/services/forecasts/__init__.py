"""Predictions made and resolved.

Belongs here: forecasting and resolving a window of days.
Does not: scores over many outcomes.
"""

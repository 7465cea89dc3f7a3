"""Predictions and their outcomes.

Belongs here: building, checking and resolving predictions, and signals made of them.
Does not: scores over many outcomes (accuracy).
"""

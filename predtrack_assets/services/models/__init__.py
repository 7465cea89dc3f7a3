"""Fits, their search and which of them is in force.

Belongs here: fitting, tuning, choosing what to retrain.
Does not: learners.
"""

"""Bars, corporate actions, returns and the state of the market.

Belongs here: what can be computed from prices alone.
Does not: features of a model, predictions.
"""

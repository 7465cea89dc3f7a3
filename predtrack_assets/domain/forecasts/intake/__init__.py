"""Predictions of others: what a row may hold, and the codes of what is wrong with it.

Belongs here: the schema of a row, its rules by themselves, what it becomes beside a close.
Does not: which symbols and sessions there are (services/forecasts/intake), storage.
"""

"""Which model is fit to be followed.

Belongs here: track records, gates, paired tests, champions.
Does not: predictions and scores themselves.
"""

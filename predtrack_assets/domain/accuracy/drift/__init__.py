"""Whether features, predictions or scores have changed.

Belongs here: distances, block permutation, degradation tests, alerts.
Does not: what is done about it (deployment, models).
"""

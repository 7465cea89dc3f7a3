"""Assets of the group forecasts.

Belongs here: Dagster's words around one service call.
Does not: computations.
"""

"""Assets of the group accuracy.

Belongs here: Dagster's words around one service call.
Does not: computations.
"""

"""Assets of the group models.

Belongs here: Dagster's words around one service call.
Does not: computations.
"""

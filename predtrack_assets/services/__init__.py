"""Use cases without Dagster and without SQL text: read, compute, write.

Belongs here: one computation with many callers: assets, replay, command line, API.
Does not: Dagster; SQL; formulas.
"""

"""The command line.

Belongs here: commands, options, progress, sentences for errors.
Does not: computations; Dagster until a run needs it.
"""

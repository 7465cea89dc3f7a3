"""Pure functions and dataclasses: bars, actions, forecasts, outcomes, scores.

Belongs here: anything that can be computed from its arguments alone (NumPy and Polars allowed).
Does not: Dagster, SQL, the clock, the network, environment variables.
"""

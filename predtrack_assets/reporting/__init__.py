"""Tables and plots for people, from frames.

Belongs here: what a terminal, the Dagster UI and pages show alike.
Does not: how a figure is computed (domain), how it is read (warehouse).
"""

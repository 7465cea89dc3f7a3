"""Statements and check profiles of the schema accuracy.

Belongs here: SQL of sums, reports, drift.
Does not: formulas: SQL adds up and joins, it does not do statistics.
"""

"""Statements of the schema trading.

Belongs here: SQL over books, decisions, orders, fills, journal, positions and states.
Does not: rules of execution (domain/trading).
"""

"""Statements and check profiles of the schema market.

Belongs here: SQL over bars, actions, symbols, universes.
Does not: decisions about them.
"""

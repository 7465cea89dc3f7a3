"""Statements and check profiles of the schema deployment.

Belongs here: SQL of gates, champions, paired tests.
Does not: whether a gate is passed.
"""

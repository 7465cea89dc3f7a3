"""Statements and check profiles of the schema models.

Belongs here: SQL of the registry, tuning, retraining.
Does not: fitting.
"""

"""Statements of the schema audit.

Belongs here: SQL of the trail and of digests of decisions.
Does not: what a digest proves.
"""

"""Statements and check profiles of the schema features.

Belongs here: SQL of the feature store.
Does not: how a feature is computed.
"""

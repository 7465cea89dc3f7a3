"""Statements of the schema forecasts.

Belongs here: SQL of predictions, outcomes, the ledger's batches.
Does not: resolving and scoring.
"""

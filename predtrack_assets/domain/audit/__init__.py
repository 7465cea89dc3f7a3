"""Proofs about what is on record.

Belongs here: the ledger, claims, comparison of a replay.
Does not: reading and writing the records.
"""

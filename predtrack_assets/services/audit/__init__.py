"""The ledger verified, claims recomputed, runs recorded.

Belongs here: proofs that read many tables.
Does not: hashes and trees (domain/audit).
"""

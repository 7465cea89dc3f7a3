"""Data quality: Great Expectations suites over per-day profiles, adapted to asset checks.

Belongs here: what must be true of stored rows.
Does not: whether a model is good (that is data, in accuracy and deployment).
"""

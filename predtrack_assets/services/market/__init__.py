"""Prices in, and what is known about the market.

Belongs here: ingest, conditions, gaps.
Does not: vendors (sources).
"""

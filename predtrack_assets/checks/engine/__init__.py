"""From a suite and a query to an asset check.

Belongs here: the Great Expectations adapter, rules, factories.
Does not: suites of one room.
"""

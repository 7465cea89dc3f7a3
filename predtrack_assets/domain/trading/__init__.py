"""From signals to the money that following them earns.

Belongs here: strategies, books, rules, backtests.
Does not: which model may be followed (deployment).
"""

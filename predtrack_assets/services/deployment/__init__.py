"""Track records read, decisions written.

Belongs here: gates, champions, overrides, notifications of them.
Does not: criteria.
"""

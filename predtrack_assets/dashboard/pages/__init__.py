"""One module a page: what it shows, from a reading of the database.

Belongs here: which tables, figures and sentences a page has.
Does not: HTML, routes, computations.
"""

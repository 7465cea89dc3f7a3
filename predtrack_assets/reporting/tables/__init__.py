"""What is stored and how good it is, as text tables.

Belongs here: tables and sentences made of rows.
Does not: commands; queries.
"""
